// What a test can ask of the emulator: sizes, schedule and faults. Each setting is an environment
// variable ASCEND_EMULATOR_<NAME IN CAPITALS>, read at aclInit, or is set through control.h.
//
//   devices      how many there are (default 2)
//   soc          name that aclrtGetSocName returns (default Ascend950PR_9599; empty: NULL)
//   memory       bytes of a device; aclrtMalloc beyond fails with 207001 (default 32 GiB)
//   start        when queued work starts: "delayed" (default: a little late, work after a
//                synchronization always), "lazy" (only once a thread waits for a stream, an event
//                or the device: every missing synchronization shows), "eager" (at once)
//   delay        microseconds that work after a synchronization starts late at most (default 300)
//   host_nz      1: bytes that the host permuted may be read as NZ; else only FormatCast's
//   malloc_fails n: the n-th aclrtMalloc from now on fails with 207001
//   plan_fails   name:status[:n]: the n-th first phase of this operator returns status
//   kernel_fails name[:n]: the n-th run of this operator (* for any) fails with 507015
//   init_fails   status that aclInit returns
//   report       file that aclFinalize (or the end of the process) appends leaks and broken rules
//   to
#pragma once

#include <cstdint>
#include <string>

namespace ascend_emulator {

enum class Start { delayed, lazy, eager };

// Counts down to the occurrence that fails.
struct Fault {
  std::string name;
  int status = 0;
  uint64_t remaining = 0;  // 0: never

  // True exactly once: for the n-th occurrence of this name.
  bool strikes(const std::string& occurrence);
};

struct Settings {
  uint32_t devices = 2;
  std::string soc = "Ascend950PR_9599";
  uint64_t memory = 32ull << 30;
  Start start = Start::delayed;
  uint64_t delay = 300;
  bool host_nz = false;
  Fault malloc_fails;
  Fault plan_fails;
  Fault kernel_fails;
  int init_fails = 0;
  std::string report;

  // Empty, or what is wrong with the name or the value.
  std::string set(const std::string& name, const std::string& value);
  // Sets everything that the environment names; unknown names are an error as well.
  std::string read_environment();
};

}  // namespace ascend_emulator

// The one symbol that CANN does not have, for tests: libacl_rt.so, `ascendEmulator`.
//   auto get = reinterpret_cast<AscendEmulatorEntry>(dlsym(library, "ascendEmulator"));
//   get()->set("kernel_fails", "aclnnAdd:3");
#pragma once

#include <cstddef>
#include <cstdint>

#include "ascend_emulator/acl_abi.h"

extern "C" {

struct AscendEmulator {
  // As if the process had just started: everything ended and forgotten, settings at their defaults.
  // No other thread may be in a function of the libraries.
  void (*reset)();
  // See settings.h. 0, or -1 for a name or value that is not understood. At any time.
  int (*set)(const char* name, const char* value);
  // How often since the start or reset_counters: "aclnnX" (second phases), "aclnnXGetWorkspaceSize"
  // (first phases), "kernels" (that started), "operators" (second phases of all), "plans" (first
  // phases of all), "synchronizations" (of streams, events, devices), "copies" and "fills"
  // (synchronous), "blocking_copies" (asynchronous ones of pageable memory), "async_copies",
  // "async_fills", "mallocs", "frees", "host_mallocs"; and "bytes" in use now, "peak_bytes".
  uint64_t (*counter)(const char* name);
  void (*reset_counters)();
  // Rules that were broken where the device would have said nothing, one a line. The pointer is
  // valid until the thread's next call.
  const char* (*broken_rules)();
  // Forgets them: for tests that break rules on purpose and then want a clean aclFinalize.
  void (*clear_broken_rules)();
  // Operators of the libraries that are loaded: false from `index` on when there are no more.
  bool (*operator_at)(size_t index, const char** name, const char** library, const char** since);
};

typedef const struct AscendEmulator* (*AscendEmulatorEntry)();
ACL_EXPORT const struct AscendEmulator* ascendEmulator();

}  // extern "C"

// What this machine can run. For AVX the processor and XGETBV are asked, which
// __builtin_cpu_supports does. AMX is tried out: virtual machines may hide its leaf 0x1D while it
// works, or show it while it does not.
#include <cpuid.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "backend/cpu/amx/self_test.h"
#include "backend/cpu/isa.h"

namespace mxdit::cpu {
namespace {

constexpr unsigned kAmxBits = 1u << 22 | 1u << 24 | 1u << 25;  // BF16, TILE, INT8 in leaf 7, EDX
constexpr int kRequestPermission = 0x1023, kTileData = 18;     // arch_prctl(2)

bool processor_names_amx() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kAmxBits) == kAmxBits;
}

// The child does nothing but system calls and arithmetic: other threads may hold any lock.
[[noreturn]] void run_self_test() noexcept {
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  signal(SIGILL, SIG_DFL);
  signal(SIGSEGV, SIG_DFL);
  _exit(amx::products_are_right() ? 0 : 1);
}

std::string self_test_failure() {
  const pid_t child = fork();
  if (child == 0) run_self_test();
  if (child < 0) return std::string("its self-test did not start: ") + std::strerror(errno);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return std::string("its self-test was lost: ") + std::strerror(errno);
  if (WIFSIGNALED(status))
    return std::string("its self-test died of ") + strsignal(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "its self-test gave wrong products";
}

std::string find_amx_obstacle() {
  if (!processor_names_amx()) return "this machine lacks it";
  if (syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0)
    return std::string("the system refuses the tile registers: ") + std::strerror(errno);
  return self_test_failure();
}

const std::string& amx_obstacle() {
  static const std::string obstacle = find_amx_obstacle();
  return obstacle;
}

}  // namespace

uint32_t machine_isa() noexcept {
  uint32_t bits = 0;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c"))
    bits |= kIsaAvx2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    bits |= kIsaAvx512;
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16"))
    bits |= kIsaAvx512Vnni;
  if (amx_obstacle().empty()) bits |= kIsaAmx;
  return bits;
}

std::string why_absent(const KernelTable& table) {
  const uint32_t missing = table.isa & ~machine_isa();
  if (missing == 0) return "";
  return missing == kIsaAmx ? amx_obstacle() : "this machine lacks it";
}

}  // namespace mxdit::cpu

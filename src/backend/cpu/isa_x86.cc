// __builtin_cpu_supports also asks the operating system (XGETBV) for the wide registers.
#include "backend/cpu/isa.h"

namespace mxdit::cpu {

uint32_t machine_isa() noexcept {
  uint32_t bits = 0;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c"))
    bits |= kIsaAvx2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    bits |= kIsaAvx512;
  return bits;
}

}  // namespace mxdit::cpu

// Stands in for the AVX2 kernels on machines of another architecture.
#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu {

const KernelTable* avx2_table() noexcept {
  return nullptr;
}

}  // namespace mxdit::cpu

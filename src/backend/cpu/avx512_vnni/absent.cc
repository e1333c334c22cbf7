// Stands in for these kernels on machines of another architecture.
#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu {

const KernelTable* avx512_vnni_table() noexcept {
  return nullptr;
}

}  // namespace mxdit::cpu

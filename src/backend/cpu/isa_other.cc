// Architectures for which only the scalar table is built.
#include "backend/cpu/isa.h"

namespace mxdit::cpu {

uint32_t machine_isa() noexcept {
  return 0;
}

std::string why_absent(const KernelTable& table) {
  return table.isa == 0 ? "" : "this machine lacks it";
}

}  // namespace mxdit::cpu

// The entries of AttentionKernels on AMX.
#pragma once

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::amx {

void pack_values(const PackValuesArgs& args) noexcept;
void attend(const AttendArgs& args) noexcept;
int64_t attend_workspace(int64_t panels, int64_t steps) noexcept;

}  // namespace mxdit::cpu::amx

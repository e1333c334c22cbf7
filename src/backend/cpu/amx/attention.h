// The entries of AttentionKernels on AMX.
#pragma once

#include <immintrin.h>

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::amx {

void pack_values(const PackValuesArgs& args) noexcept;
void attend(const AttendArgs& args) noexcept;
// A mask of the elements there are, out of 32.
inline __mmask32 first_elements(int64_t count) {
  return count >= 32 ? ~0u : (1u << count) - 1u;
}

int64_t attend_workspace(int64_t panels, int64_t steps) noexcept;
void survey_rows(const SurveyRowsArgs& args) noexcept;
void pack_int8(const PackInt8Args& args) noexcept;

}  // namespace mxdit::cpu::amx

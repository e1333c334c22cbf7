// Element conversions of the reference kernels. They repeat formats/element.h on purpose: files of
// this folder share no code with the rest of the program.
#pragma once

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::scalar {

float load(const void* data, Element type, int64_t index) noexcept;
// type: f32, bf16 or f16
void store(void* data, Element type, int64_t index, float value) noexcept;
float apply(Function function, float x) noexcept;

}  // namespace mxdit::cpu::scalar

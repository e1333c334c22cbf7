// Element conversions of the reference kernels. They repeat formats/element.h on purpose: files of
// this folder share no code with the rest of the program.
#pragma once

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::scalar {

float load(const void* data, Element type, int64_t index) noexcept;
// type: f32, bf16 or f16
void store(void* data, Element type, int64_t index, float value) noexcept;
// Element `column` of a row of codes.
float decode(const uint8_t* row, Code code, int64_t column) noexcept;
// Saturating. NaN gives 0x7f with its sign for e4m3 and e5m2, else 0.
uint8_t encode(float value, Code code, Rounding rounding) noexcept;
float apply(Function function, float x) noexcept;

}  // namespace mxdit::cpu::scalar

// Reading and writing elements of f32, bf16, f16 and fp8 tensors, and activations, in double.
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace mxdit::cpu::exact {

// Elements begin .. begin + count - 1 of `x`, widened.
void load(const Tensor& x, int64_t begin, int64_t count, double* out);
// `value`, already rounded to fp32, as element `index` of `out`: f32, bf16 or f16.
void store(float value, Tensor& out, int64_t index);
// `value` rounded to `type` and back.
float round_to(DType type, float value);
double apply(Activation act, double x);

}  // namespace mxdit::cpu::exact

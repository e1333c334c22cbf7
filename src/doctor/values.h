// Operands of checks, and their comparison. All tensors are host memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/quantized_matrix.h"

namespace mxdit::doctor {

// Values in -scale..scale that are the same on every machine; f32, bf16 or f16.
Tensor random_values(DType dtype, const Shape& shape, uint32_t seed, float scale = 1.0f);
Tensor constant(DType dtype, const Shape& shape, float value);
// Every value of f32, bf16, f16 and f64.
std::vector<double> values_of(const Tensor& tensor);

// Throws Error{internal} naming `what` and the first place that differs.
void expect_equal_bytes(const std::string& what, const Tensor& got, const Tensor& expected);

// A result and how far it may be off, element by element.
struct Bounded {
  std::vector<double> value, bound;
};
// out[m, n] = bias[n] + sum_k x[m, k] w[n, k] in double, from f64 matrices. The bound: the rounding
// of the result to `out`, and that of sums of products in fp32.
Bounded product(const Tensor& x, const Tensor& w, const Tensor* bias, DType out);
// "equal to the bit" is not to be had: how close it was. Throws Error{internal} when out of bounds.
std::string expect_close(const std::string& what, const Tensor& got, const Bounded& expected);

// Elements and scales of both, as expect_equal_bytes().
void expect_equal_matrices(const std::string& what, const QuantizedMatrix& got,
                           const QuantizedMatrix& expected);

}  // namespace mxdit::doctor

// Argument checks shared by the operators; every message names the operator and both shapes. And
// outputs of several parts.
#pragma once

#include <string_view>

#include "backend/backend.h"
#include "core/error.h"
#include "core/tensor.h"

namespace mxdit::ops {

inline bool is_activation(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16;
}

// Activations between operators are f32 or bf16.
inline void check_activation(std::string_view op, const Tensor& x) {
  MXDIT_CHECK(x.defined(), "[ops] ", op, ": expected a tensor, got none");
  MXDIT_CHECK(is_activation(x.dtype()), "[ops] ", op, ": expected F32 or BF16, got ",
              name(x.dtype()), " ", x.shape());
}

inline void check_rank(std::string_view op, const Tensor& x, int rank) {
  MXDIT_CHECK(x.shape().rank() == rank, "[ops] ", op, ": expected rank ", rank, ", got ",
              x.shape());
}

inline void check_same(std::string_view op, const Tensor& a, const Tensor& b) {
  check_activation(op, b);
  MXDIT_CHECK(a.dtype() == b.dtype() && a.shape() == b.shape(), "[ops] ", op, ": expected ",
              name(a.dtype()), " ", a.shape(), ", got ", name(b.dtype()), " ", b.shape());
}

// [T, H, W, C] with `border` more pixels on every side of H and W.
inline Shape with_border(const Shape& shape, int border) {
  return {shape[0], shape[1] + 2 * border, shape[2] + 2 * border, shape[3]};
}

// Gains, biases, shifts and the like: f32 of an exact shape.
inline void check_parameter(std::string_view op, std::string_view what, const Tensor& p,
                            const Shape& shape) {
  MXDIT_CHECK(p.defined(), "[ops] ", op, ": expected ", what, " ", shape, ", got none");
  MXDIT_CHECK(p.dtype() == DType::f32 && p.shape() == shape, "[ops] ", op, ": expected ", what,
              " F32 ", shape, ", got ", name(p.dtype()), " ", p.shape());
}

// Parameters of a modulation of x [B, S, C]: f32 [B, 1, C] or [B, S, C].
inline void check_modulation(std::string_view op, std::string_view what, const Tensor& x,
                             const Tensor& p) {
  MXDIT_CHECK(p.defined(), "[ops] ", op, ": expected ", what, ", got none");
  const bool fits = p.dtype() == DType::f32 && p.shape().rank() == 3 && p.dim(0) == x.dim(0) &&
                    (p.dim(1) == 1 || p.dim(1) == x.dim(1)) && p.dim(2) == x.dim(2);
  MXDIT_CHECK(fits, "[ops] ", op, ": expected ", what, " F32 [B, 1, C] or [B, S, C] for ",
              x.shape(), ", got ", name(p.dtype()), " ", p.shape());
}

// What columns of dtype `type` are encoded with.
void check_encoding(int64_t columns, DType type, const QuantFormat& format,
                    const QuantizeOptions& options);
// The parts of a matrix, uninitialised.
QuantizedMatrix empty_matrix(Backend& backend, int64_t rows, int64_t columns,
                             const QuantFormat& format);

}  // namespace mxdit::ops

// Operators as models call them: arguments checked, output allocated, the back end's kernel run.
//
// Layouts, dtypes and formulas are those of backend/backend.h. A wrong shape or dtype is a defect
// of the caller: Error{internal} naming the operator.
#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"

namespace mxdit::ops {

// `x` itself when it already has the dtype.
Tensor cast(Backend& backend, const Tensor& x, DType dtype);

// Axes of the result are axes[i] of x. Rank <= 8.
Tensor permute(Backend& backend, const Tensor& x, std::span<const int> axes);
// Elements begin..end-1 of one axis.
Tensor narrow(Backend& backend, const Tensor& x, int axis, int64_t begin, int64_t end);
// All tensors joined along one axis; same dtype, other extents equal.
Tensor concat(Backend& backend, std::span<const Tensor> parts, int axis);
// Writes x into the block of `out` that begins at `begin` on every axis (rank of x).
void write_block(Backend& backend, const Tensor& x, std::span<const int64_t> begin, Tensor& out);

Tensor gather_rows(Backend& backend, const Tensor& table, const Tensor& ids, DType dtype);

// x [..., K] -> [..., N].
Tensor linear(Backend& backend, const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
              Activation act = Activation::none);
// The same for an input [M, K] -> [M, N] in `dtype`, the input's.
Tensor linear(Backend& backend, const PlainMatrix& x, const PreparedWeight& weight,
              const Tensor* bias, Activation act, DType dtype);
// The same as the input of a product with `next`, without the tensor where the back end can.
PlainMatrix linear_packed(Backend& backend, const PlainMatrix& x, const PreparedWeight& weight,
                          const Tensor* bias, Activation act, DType dtype,
                          const PreparedWeight& next);
// x [M, K] in bf16 or f16; the options' smooth scale [K] has x's dtype. Packed formats need even K.
QuantizedMatrix quantize(Backend& backend, const Tensor& x, const QuantFormat& format,
                         const QuantizeOptions& options = {});
// f32 [M, K].
Tensor dequantize(Backend& backend, const QuantizedMatrix& x);
// [M, K] x [N, K] -> [M, N] in out_type: f32, bf16 or f16.
Tensor quantized_linear(Backend& backend, const QuantizedMatrix& x, const PreparedWeight& weight,
                        const Tensor* bias, Activation act, DType out_type);
// quantize(quantized_linear(...)) by way of bf16, without that tensor where the back end can.
QuantizedMatrix quantized_linear_encoded(Backend& backend, const QuantizedMatrix& x,
                                         const PreparedWeight& weight, const Tensor* bias,
                                         Activation act, const QuantFormat& format,
                                         const QuantizeOptions& options = {});
// Clips [Ti, H, W, Cin]; kernel extents are those of the [Cout, Cin, kt, kh, kw] weight.
Tensor conv3d(Backend& backend, std::span<const Tensor> clips, const PreparedWeight& weight,
              const std::array<int64_t, 3>& kernel, const Tensor* bias, const Conv3dParams& params,
              const Conv3dTail& tail = {});
Tensor attention(Backend& backend, const Tensor& q, const Tensor& k, const Tensor& v,
                 const AttentionParams& params);

Tensor layer_norm(Backend& backend, const Tensor& x, const Tensor* gain, const Tensor* bias,
                  float eps);
Tensor norm_modulate(Backend& backend, const Tensor& x, const Tensor& shift, const Tensor& scale,
                     float eps);
Tensor rms_norm(Backend& backend, const Tensor& x, const Tensor& gain, float eps);
// The caller allocates the tensor of the sum, where there is one. The second encodes the norm, of x
// in bf16, as [M, C].
Tensor norm_sum(Backend& backend, const NormedSum& rows);
QuantizedMatrix quantize_normed(Backend& backend, const NormedSum& rows, const QuantFormat& format,
                                const QuantizeOptions& options = {});
Tensor channel_norm(Backend& backend, const Tensor& x, const Tensor& gain, Activation act,
                    int border = 0);

Tensor gate_add(Backend& backend, const Tensor& x, const Tensor& y, const Tensor& gate);
Tensor add(Backend& backend, const Tensor& a, const Tensor& b);
Tensor activate(Backend& backend, Activation act, const Tensor& x);
// act(x) * y
Tensor activate_gated(Backend& backend, Activation act, const Tensor& x, const Tensor& y);
Tensor rope(Backend& backend, const Tensor& x, const Tensor& cos, const Tensor& sin);
// rope() of the heads of rms_norm(x), without the tensor in between where the back end can: x
// [B, S, C] -> [B, S, C / D, D] with D of cos and sin f32 [S, D / 2].
Tensor rms_norm_rope(Backend& backend, const Tensor& x, const Tensor& gain, float eps,
                     const Tensor& cos, const Tensor& sin);
Tensor upsample2x(Backend& backend, const Tensor& x, int border = 0);
Tensor linear_combination(Backend& backend, std::span<const float> coefficients,
                          std::span<const Tensor* const> inputs, DType dtype);

}  // namespace mxdit::ops

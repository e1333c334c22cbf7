#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {

namespace {

int64_t check_channels(std::string_view op, const Tensor& x) {
  check_activation(op, x);
  MXDIT_CHECK(x.shape().rank() >= 1 && x.dim(-1) > 0, "[ops] ", op,
              ": expected [..., C] with C > 0, got ", x.shape());
  return x.dim(-1);
}

void check_layer_norm(std::string_view op, const Tensor& x, const Tensor* gain,
                      const Tensor* bias) {
  const int64_t channels = check_channels(op, x);
  if (gain != nullptr) check_parameter(op, "gain", *gain, {channels});
  if (bias != nullptr) check_parameter(op, "bias", *bias, {channels});
}

void check_norm_modulate(std::string_view op, const Tensor& x, const Tensor& shift,
                         const Tensor& scale) {
  check_channels(op, x);
  check_rank(op, x, 3);
  check_modulation(op, "shift", x, shift);
  check_modulation(op, "scale", x, scale);
  MXDIT_CHECK(shift.shape() == scale.shape(), "[ops] ", op, ": expected scale ", shift.shape(),
              " like shift, got ", scale.shape());
}

void check_normed_sum(std::string_view op, const NormedSum& rows) {
  MXDIT_CHECK(rows.x != nullptr, "[ops] ", op, ": expected a tensor, got none");
  MXDIT_CHECK((rows.y == nullptr) == (rows.sum == nullptr), "[ops] ", op,
              ": expected a tensor for the sum of two and none else");
  if (rows.modulates) {
    MXDIT_CHECK(rows.gain != nullptr && rows.bias != nullptr, "[ops] ", op,
                ": expected scale and shift of a modulation, got none");
    check_norm_modulate(op, *rows.x, *rows.bias, *rows.gain);
  } else {
    check_layer_norm(op, *rows.x, rows.gain, rows.bias);
  }
  if (rows.y == nullptr) return;
  check_same(op, *rows.x, *rows.y);
  check_same(op, *rows.x, *rows.sum);
  if (rows.gate == nullptr) return;
  check_rank(op, *rows.x, 3);
  check_modulation(op, "gate", *rows.x, *rows.gate);
}

}  // namespace

Tensor layer_norm(Backend& backend, const Tensor& x, const Tensor* gain, const Tensor* bias,
                  float eps) {
  check_layer_norm("layer_norm", x, gain, bias);
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.layer_norm(x, gain, bias, eps, out);
  return out;
}

Tensor norm_modulate(Backend& backend, const Tensor& x, const Tensor& shift, const Tensor& scale,
                     float eps) {
  check_norm_modulate("norm_modulate", x, shift, scale);
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.norm_modulate(x, shift, scale, eps, out);
  return out;
}

Tensor rms_norm(Backend& backend, const Tensor& x, const Tensor& gain, float eps) {
  const int64_t channels = check_channels("rms_norm", x);
  check_parameter("rms_norm", "gain", gain, {channels});
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.rms_norm(x, gain, eps, out);
  return out;
}

Tensor norm_sum(Backend& backend, const NormedSum& rows) {
  check_normed_sum("norm_sum", rows);
  Tensor out = backend.empty(rows.x->dtype(), rows.x->shape());
  if (out.elements() > 0) backend.norm_sum(rows, out);
  return out;
}

QuantizedMatrix quantize_normed(Backend& backend, const NormedSum& rows, const QuantFormat& format,
                                const QuantizeOptions& options) {
  check_normed_sum("quantize_normed", rows);
  const int64_t columns = rows.x->dim(-1);
  MXDIT_CHECK(rows.x->dtype() == DType::bf16, "[ops] quantize_normed: expected BF16, got ",
              name(rows.x->dtype()), " ", rows.x->shape());
  check_encoding(columns, DType::bf16, format, options);
  QuantizedMatrix out = empty_matrix(backend, rows.x->elements() / columns, columns, format);
  if (out.rows > 0) backend.quantize_normed(rows, options, out);
  return out;
}

Tensor channel_norm(Backend& backend, const Tensor& x, const Tensor& gain, Activation act,
                    int border) {
  const int64_t channels = check_channels("channel_norm", x);
  check_parameter("channel_norm", "gain", gain, {channels});
  MXDIT_CHECK(act == Activation::none || act == Activation::silu,
              "[ops] channel_norm: expected no activation or silu for ", x.shape());
  MXDIT_CHECK(border == 0 || (border > 0 && x.shape().rank() == 4),
              "[ops] channel_norm: expected [T, H, W, C] and a border of at least 0, got ",
              x.shape(), " and ", border);
  Tensor out = backend.empty(x.dtype(), border == 0 ? x.shape() : with_border(x.shape(), border));
  if (out.elements() > 0) backend.channel_norm(x, gain, act, border, out);
  return out;
}

}  // namespace mxdit::ops

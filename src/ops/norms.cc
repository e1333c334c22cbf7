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

}  // namespace

Tensor layer_norm(Backend& backend, const Tensor& x, const Tensor* gain, const Tensor* bias,
                  float eps) {
  const int64_t channels = check_channels("layer_norm", x);
  if (gain != nullptr) check_parameter("layer_norm", "gain", *gain, {channels});
  if (bias != nullptr) check_parameter("layer_norm", "bias", *bias, {channels});
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.layer_norm(x, gain, bias, eps, out);
  return out;
}

Tensor norm_modulate(Backend& backend, const Tensor& x, const Tensor& shift, const Tensor& scale,
                     float eps) {
  check_channels("norm_modulate", x);
  check_rank("norm_modulate", x, 3);
  check_modulation("norm_modulate", "shift", x, shift);
  check_modulation("norm_modulate", "scale", x, scale);
  MXDIT_CHECK(shift.shape() == scale.shape(), "[ops] norm_modulate: expected scale ", shift.shape(),
              " like shift, got ", scale.shape());
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

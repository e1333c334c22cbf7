// Convolution and upsampling on [T, H, W, C].
#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {

namespace {

// Output positions of one axis; the padded extent has to hold the kernel.
int64_t output_extent(const char* axis, const Tensor& x, int64_t padded, int64_t kernel,
                      int64_t stride) {
  MXDIT_CHECK(stride >= 1 && kernel >= 1 && padded >= kernel, "[ops] conv3d: expected at least ",
              kernel, " positions in ", axis, " and a positive stride, got ", padded, " of ",
              x.shape(), " with stride ", stride);
  return (padded - kernel) / stride + 1;
}

void check_history(const Tensor& x, const Tensor* history) {
  if (history == nullptr) return;
  check_activation("conv3d", *history);
  check_rank("conv3d", *history, 4);
  const bool fits = history->dtype() == x.dtype() && history->dim(1) == x.dim(1) &&
                    history->dim(2) == x.dim(2) && history->dim(3) == x.dim(3);
  MXDIT_CHECK(fits, "[ops] conv3d: expected history ", name(x.dtype()), " [Th, H, W, C] of ",
              x.shape(), ", got ", name(history->dtype()), " ", history->shape());
}

}  // namespace

Tensor conv3d(Backend& backend, const Tensor& x, const Tensor* history,
              const PreparedWeight& weight, const std::array<int64_t, 3>& kernel,
              const Tensor* bias, const Conv3dParams& params) {
  check_activation("conv3d", x);
  check_rank("conv3d", x, 4);
  check_history(x, history);
  const int64_t in = x.dim(3) * kernel[0] * kernel[1] * kernel[2];
  // A back end may count either the channels or the whole patch as inputs.
  MXDIT_CHECK(weight.in_features() == x.dim(3) || weight.in_features() == in,
              "[ops] conv3d: expected ", weight.in_features(), " inputs, got ", x.shape(),
              " with a kernel [", kernel[0], ", ", kernel[1], ", ", kernel[2], "]");
  MXDIT_CHECK(params.pad_top >= 0 && params.pad_bottom >= 0 && params.pad_left >= 0 &&
                  params.pad_right >= 0 && params.zero_frames >= 0,
              "[ops] conv3d: expected padding of at least 0 for ", x.shape());
  if (bias != nullptr) check_parameter("conv3d", "bias", *bias, {weight.out_features()});
  const int64_t frames = x.dim(0) + (history ? history->dim(0) : 0) + params.zero_frames;
  const int64_t height = x.dim(1) + params.pad_top + params.pad_bottom;
  const int64_t width = x.dim(2) + params.pad_left + params.pad_right;
  const Shape shape = {output_extent("time", x, frames, kernel[0], params.stride_t),
                       output_extent("height", x, height, kernel[1], params.stride_h),
                       output_extent("width", x, width, kernel[2], params.stride_w),
                       weight.out_features()};
  Tensor out = backend.empty(x.dtype(), shape);
  backend.conv3d(x, history, weight, bias, params, out);
  return out;
}

Tensor upsample2x(Backend& backend, const Tensor& x) {
  check_activation("upsample2x", x);
  check_rank("upsample2x", x, 4);
  Tensor out = backend.empty(x.dtype(), {x.dim(0), 2 * x.dim(1), 2 * x.dim(2), x.dim(3)});
  if (x.elements() > 0) backend.upsample2x(x, out);
  return out;
}

}  // namespace mxdit::ops

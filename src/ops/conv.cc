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

// The number of frames.
int64_t check_clips(std::span<const Tensor> clips) {
  MXDIT_CHECK(!clips.empty(), "[ops] conv3d: expected at least one clip, got none");
  const Tensor& x = clips.front();
  int64_t frames = 0;
  for (const Tensor& clip : clips) {
    check_activation("conv3d", clip);
    check_rank("conv3d", clip, 4);
    const bool fits = clip.dtype() == x.dtype() && clip.dim(1) == x.dim(1) &&
                      clip.dim(2) == x.dim(2) && clip.dim(3) == x.dim(3);
    MXDIT_CHECK(fits, "[ops] conv3d: expected a clip ", name(x.dtype()), " [T, H, W, C] of ",
                x.shape(), ", got ", name(clip.dtype()), " ", clip.shape());
    frames += clip.dim(0);
  }
  return frames;
}

void check_tail(const Conv3dTail& tail, const Tensor& x, const Shape& out) {
  if (tail.residual != nullptr)
    MXDIT_CHECK(tail.residual->dtype() == x.dtype() && tail.residual->shape() == out,
                "[ops] conv3d: expected a residual ", name(x.dtype()), " ", out, ", got ",
                name(tail.residual->dtype()), " ", tail.residual->shape());
  if (tail.gain != nullptr) check_parameter("conv3d", "gain", *tail.gain, {out[3]});
  const bool has_norm = tail.gain != nullptr;
  MXDIT_CHECK(tail.border >= 0 && (has_norm || tail.border == 0) &&
                  (tail.act == Activation::none || (has_norm && tail.act == Activation::silu)),
              "[ops] conv3d: expected a border and silu only behind a norm, got a border of ",
              tail.border, " for ", out);
}

}  // namespace

Tensor conv3d(Backend& backend, std::span<const Tensor> clips, const PreparedWeight& weight,
              const std::array<int64_t, 3>& kernel, const Tensor* bias, const Conv3dParams& params,
              const Conv3dTail& tail) {
  const int64_t frames = check_clips(clips) + params.zero_frames;
  const Tensor& x = clips.front();
  const int64_t in = x.dim(3) * kernel[0] * kernel[1] * kernel[2];
  // A back end may count either the channels or the whole patch as inputs.
  MXDIT_CHECK(weight.in_features() == x.dim(3) || weight.in_features() == in,
              "[ops] conv3d: expected ", weight.in_features(), " inputs, got ", x.shape(),
              " with a kernel [", kernel[0], ", ", kernel[1], ", ", kernel[2], "]");
  MXDIT_CHECK(params.pad_top >= 0 && params.pad_bottom >= 0 && params.pad_left >= 0 &&
                  params.pad_right >= 0 && params.zero_frames >= 0,
              "[ops] conv3d: expected padding of at least 0 for ", x.shape());
  if (bias != nullptr) check_parameter("conv3d", "bias", *bias, {weight.out_features()});
  const int64_t height = x.dim(1) + params.pad_top + params.pad_bottom;
  const int64_t width = x.dim(2) + params.pad_left + params.pad_right;
  const Shape shape = {output_extent("time", x, frames, kernel[0], params.stride_t),
                       output_extent("height", x, height, kernel[1], params.stride_h),
                       output_extent("width", x, width, kernel[2], params.stride_w),
                       weight.out_features()};
  check_tail(tail, x, shape);
  Tensor out = backend.empty(x.dtype(), with_border(shape, tail.border));
  backend.conv3d(clips, weight, bias, params, tail, out);
  return out;
}

Tensor upsample2x(Backend& backend, const Tensor& x, int border) {
  check_activation("upsample2x", x);
  check_rank("upsample2x", x, 4);
  MXDIT_CHECK(border >= 0, "[ops] upsample2x: expected a border of at least 0, got ", border);
  const Shape larger = {x.dim(0), 2 * x.dim(1), 2 * x.dim(2), x.dim(3)};
  Tensor out = backend.empty(x.dtype(), with_border(larger, border));
  if (out.elements() > 0) backend.upsample2x(x, border, out);
  return out;
}

}  // namespace mxdit::ops

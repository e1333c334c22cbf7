// conv3d: frames are joined, padded and turned to [C, T, H, W] in one copy each, as CANN's
// convolution wants them.
#include "backend/ascend/ascend_backend.h"

namespace mxdit::ascend {
namespace {

constexpr int8_t kKeepType = 0;

TensorView channels_first(const Tensor& x, const Extents& dims) {
  return TensorView::of(x, dims).as_format(Format::ncdhw);
}

}  // namespace

std::shared_ptr<PreparedWeight> AscendBackend::prepare_conv3d(const Tensor& weight, DType input) {
  MXDIT_CHECK(weight.shape().rank() == 5,
              "[backend] prepare_conv3d: expected [Cout, Cin, kt, kh, kw], got ", weight.shape());
  return std::make_shared<ConvWeight>(as_type(weight, input, Use::weight));
}

// [C, T, H, W] with zero frames in front and zeros around.
Tensor AscendBackend::padded_input(std::span<const Tensor> clips, const Conv3dParams& params) {
  const Tensor& x = clips.front();
  int64_t frames = params.zero_frames;
  for (const Tensor& clip : clips) frames += clip.dim(0);
  const int64_t height = x.dim(1) + params.pad_top + params.pad_bottom;
  const int64_t width = x.dim(2) + params.pad_left + params.pad_right, channels = x.dim(3);
  Tensor input = fresh(x.dtype(), {channels, frames, height, width});
  if (params.zero_frames > 0 || height > x.dim(1) || width > x.dim(2))
    device_.clear(input.mutable_data(), input.bytes());
  const int64_t line = x.dim(2) * channels;
  int64_t frame = params.zero_frames;
  for (const Tensor& clip : clips) {
    if (clip.elements() == 0) continue;
    const Extents dims = {channels, clip.dim(0), x.dim(1), x.dim(2)};
    copy_view(TensorView::strided(clip, 0, dims, {1, x.dim(1) * line, line, channels}),
              TensorView::strided(
                  input, (frame * height + params.pad_top) * width + params.pad_left, dims,
                  {frames * height * width, height * width, width, 1}));
    frame += clip.dim(0);
  }
  return input;
}

void AscendBackend::conv3d(std::span<const Tensor> clips, const PreparedWeight& weight,
                           const Tensor* bias, const Conv3dParams& params, const Conv3dTail& tail,
                           Tensor& out) {
  const auto& w = static_cast<const ConvWeight&>(weight);
  const DType type = out.dtype();
  const int64_t t = out.dim(0), h = out.dim(1) - 2 * tail.border,
                width = out.dim(2) - 2 * tail.border, c = out.dim(3);
  const Tensor result = fresh(type, {c, t, h, width});
  {
    const Tensor input = padded_input(clips, params);
    const Tensor& filter = w.tensor;
    const TensorView summand =
        bias == nullptr ? TensorView::none() : TensorView::of(parameter_as(*bias, type));
    constexpr bool kTransposed = false;
    device_.call(op::convolution,
                 channels_first(input, {1, input.dim(0), input.dim(1), input.dim(2), input.dim(3)}),
                 channels_first(filter, Extents(filter.shape())), summand,
                 IntArray{params.stride_t, params.stride_h, params.stride_w}, IntArray{0, 0, 0},
                 IntArray{1, 1, 1}, kTransposed, IntArray{0, 0, 0}, int64_t{1},
                 channels_first(result, {1, c, t, h, width}), kKeepType);
  }
  Tensor plain = tail.gain == nullptr ? out : fresh(type, {t, h, width, c});
  copy_view(TensorView::strided(result, 0, {t, h, width, c},
                                {h * width, width, 1, t * h * width}),
            TensorView::of(plain));
  if (tail.residual != nullptr) add(plain, *tail.residual, plain);
  if (tail.gain != nullptr) channel_norm(plain, *tail.gain, tail.act, tail.border, out);
}

}  // namespace mxdit::ascend

#include "models/wan_vae/resample.h"

#include <array>

#include "ops/ops.h"

namespace mxdit::wan_vae {
namespace {

// ZeroPad2d((0, 1, 0, 1)) and a stride of two.
Conv3dParams halving() {
  Conv3dParams params;
  params.stride_h = params.stride_w = 2;
  params.pad_bottom = params.pad_right = 1;
  return params;
}

}  // namespace

Upsample Upsample::load(const ModelSource& source, const std::string& name, const StageSpec& spec) {
  const int64_t channels = spec.out_channels;
  Upsample layer;
  layer.backend_ = source.backend;
  if (spec.temporal)
    layer.time_conv_ = CausalConv::load(source, name + ".time_conv", 2 * channels, channels, 1, 0);
  layer.conv_ =
      PlaneConv::load(source, name + ".resample.1", spec.next_channels, channels, {});
  return layer;
}

Tensor Upsample::in_time(Tensor frame, State& state) const {
  if (!time_conv_) return frame;
  if (!state.started) {
    state.started = true;
    return frame;
  }
  const int64_t height = frame.dim(1), width = frame.dim(2), channels = frame.dim(3);
  Tensor pair = time_conv_->forward(frame, state.time_conv);
  frame = Tensor();
  // The first half of the channels is the earlier frame.
  constexpr std::array<int, 3> kFrameFirst = {1, 0, 2};
  pair = ops::permute(*backend_, pair.reshape({height * width, 2, channels}), kFrameFirst);
  return pair.reshape({2, height, width, channels});
}

Tensor Upsample::in_space(Tensor frame) const {
  frame = ops::upsample2x(*backend_, frame, kBorder);
  return conv_.forward(frame);
}

Downsample Downsample::load(const ModelSource& source, const std::string& name,
                            const StageSpec& spec) {
  const int64_t channels = spec.out_channels;
  Downsample layer;
  layer.conv_ = PlaneConv::load(source, name + ".resample.1", channels, channels, halving());
  if (spec.temporal)
    layer.time_conv_ = CausalConv::load(source, name + ".time_conv", channels, channels, 1, 0);
  return layer;
}

std::optional<Tensor> Downsample::forward(Tensor frame, State& state) const {
  frame = conv_.forward(frame);
  if (!time_conv_) return frame;
  FrameHistory& history = state.time_conv;
  if (history.count() == 2) {
    // Windows of three frames, two apart: the last frame of one is the first of the next.
    Tensor out = time_conv_->forward(frame, history);
    history.keep_newest();
    return out;
  }
  const bool first = history.count() == 0;
  history.push(frame);
  if (first) return frame;
  return std::nullopt;
}

}  // namespace mxdit::wan_vae

#include "models/wan_vae/encoder.h"

namespace mxdit::wan_vae {

Encoder Encoder::load(const ModelSource& source, const Config& config) {
  Encoder encoder;
  const int64_t moments = 2 * config.z_dim;
  encoder.conv_in_ =
      CausalConv::load(source, "encoder.conv_in", config.base_dim, config.in_channels, 3, 0);
  // Blocks and resampling layers share one numbering in the checkpoint.
  int64_t index = 0;
  const auto next_name = [&] { return "encoder.down_blocks." + std::to_string(index++); };
  for (const StageSpec& spec : config.encoder_stages()) {
    Stage& stage = encoder.stages_.emplace_back();
    int64_t width = spec.in_channels;
    for (int64_t i = 0; i < spec.blocks; ++i, width = spec.out_channels)
      stage.blocks.push_back(ResidualBlock::load(source, next_name(), spec.out_channels, width));
    if (spec.resample) stage.downsample = Downsample::load(source, next_name(), spec);
  }
  const int64_t width = config.encoder_width();
  encoder.mid_ = MidBlock::load(source, "encoder.mid_block", width);
  encoder.norm_out_ = ChannelNorm::load(source, "encoder.norm_out", 4, width, Activation::silu);
  encoder.conv_out_ = CausalConv::load(source, "encoder.conv_out", moments, width, 3, kBorder);
  encoder.quant_conv_ = PointwiseConv::load(source, "quant_conv", 5, moments, moments);
  return encoder;
}

Encoder::State Encoder::start(const CancelToken* cancel) const {
  State state;
  state.cancel = cancel;
  for (const Stage& stage : stages_) state.stages.emplace_back().blocks.resize(stage.blocks.size());
  return state;
}

std::optional<Tensor> Encoder::run_stages(Tensor frame, State& state) const {
  frame = conv_in_.forward(frame, state.conv_in);
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Stage& stage = stages_[i];
    for (size_t b = 0; b < stage.blocks.size(); ++b) {
      check_cancelled(state.cancel);
      frame = stage.blocks[b].forward(std::move(frame), state.stages[i].blocks[b]);
    }
    if (!stage.downsample) continue;
    auto smaller = stage.downsample->forward(std::move(frame), state.stages[i].downsample);
    if (!smaller) return std::nullopt;
    frame = std::move(*smaller);
  }
  return frame;
}

std::optional<Tensor> Encoder::push(Tensor frame, State& state) const {
  auto features = run_stages(std::move(frame), state);
  if (!features) return std::nullopt;
  Tensor x = mid_.forward(std::move(*features), state.mid, state.cancel);
  x = norm_out_.forward(x, kBorder);
  x = conv_out_.forward(x, state.conv_out);
  return quant_conv_.forward(x);
}

}  // namespace mxdit::wan_vae

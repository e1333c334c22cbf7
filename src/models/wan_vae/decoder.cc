#include "models/wan_vae/decoder.h"

namespace mxdit::wan_vae {

Decoder Decoder::load(const ModelSource& source, const Config& config) {
  Decoder decoder;
  const int64_t z = config.z_dim, width = config.decoder_width();
  decoder.post_quant_conv_ = PointwiseConv::load(source, "post_quant_conv", 5, z, z);
  decoder.conv_in_ = CausalConv::load(source, "decoder.conv_in", width, z, 3, 0);
  decoder.mid_ = MidBlock::load(source, "decoder.mid_block", width);
  const std::vector<StageSpec> specs = config.decoder_stages();
  for (size_t i = 0; i < specs.size(); ++i) {
    const StageSpec& spec = specs[i];
    const std::string name = "decoder.up_blocks." + std::to_string(i);
    Stage& stage = decoder.stages_.emplace_back();
    int64_t in = spec.in_channels;
    for (int64_t b = 0; b < spec.blocks; ++b, in = spec.out_channels)
      stage.blocks.push_back(ResidualBlock::load(source, name + ".resnets." + std::to_string(b),
                                                 spec.out_channels, in));
    if (spec.resample) stage.upsample = Upsample::load(source, name + ".upsamplers.0", spec);
  }
  const int64_t last = specs.back().next_channels;
  decoder.norm_out_ = ChannelNorm::load(source, "decoder.norm_out", 4, last, Activation::silu);
  decoder.conv_out_ =
      CausalConv::load(source, "decoder.conv_out", config.out_channels, last, 3, kBorder);
  return decoder;
}

Decoder::State Decoder::start(const CancelToken* cancel) const {
  State state;
  state.cancel = cancel;
  for (const Stage& stage : stages_) state.stages.emplace_back().blocks.resize(stage.blocks.size());
  return state;
}

void Decoder::push(Tensor latent, State& state, const Emit& emit) const {
  Tensor x = post_quant_conv_.forward(latent);
  x = conv_in_.forward(x, state.conv_in);
  x = mid_.forward(std::move(x), state.mid, state.cancel);
  run_stage(0, std::move(x), state, emit);
}

void Decoder::run_stage(size_t index, Tensor frame, State& state, const Emit& emit) const {
  if (index == stages_.size()) return finish(std::move(frame), state, emit);
  const Stage& stage = stages_[index];
  StageState& memory = state.stages[index];
  for (size_t b = 0; b < stage.blocks.size(); ++b) {
    check_cancelled(state.cancel);
    frame = stage.blocks[b].forward(std::move(frame), memory.blocks[b]);
  }
  if (!stage.upsample) return run_stage(index + 1, std::move(frame), state, emit);
  Tensor frames = stage.upsample->in_time(std::move(frame), memory.upsample);
  const int64_t count = frames.dim(0);
  for (int64_t t = 0; t < count; ++t) {
    check_cancelled(state.cancel);
    Tensor part = frames.slice(t, t + 1);
    if (t + 1 == count) frames = Tensor();  // its memory goes as soon as `part` is used up
    // A statement of its own: arguments live until the end of the full expression, and what
    // in_space leaves in its argument is the largest tensor of the stage.
    Tensor larger = stage.upsample->in_space(std::move(part));
    run_stage(index + 1, std::move(larger), state, emit);
  }
}

void Decoder::finish(Tensor frame, State& state, const Emit& emit) const {
  frame = norm_out_.forward(frame, kBorder);
  emit(conv_out_.forward(frame, state.conv_out));
}

}  // namespace mxdit::wan_vae

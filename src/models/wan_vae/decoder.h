// WanDecoder3d with post_quant_conv before it: latent frames in, frames out.
//
// Where time is upsampled, the two frames a frame becomes go through the rest of the network one
// after the other, so that no layer ever holds more than two frames of its resolution.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/cancel.h"
#include "models/wan_vae/config.h"
#include "models/wan_vae/mid_block.h"
#include "models/wan_vae/resample.h"

namespace mxdit::wan_vae {

class Decoder {
 public:
  struct StageState {
    std::vector<ResidualBlock::State> blocks;
    Upsample::State upsample;
  };
  // What one clip (or tile of one) has left behind in the convolutions over time.
  struct State {
    std::vector<StageState> stages;
    FrameHistory conv_in, conv_out;
    MidBlock::State mid;
    const CancelToken* cancel = nullptr;  // checked between blocks
  };
  // Receives frames [1, s h, s w, 3], not clamped, in the order of time.
  using Emit = std::function<void(const Tensor& frame)>;

  static Decoder load(const ModelSource& source, const Config& config);
  State start(const CancelToken* cancel) const;
  // latent [1, h, w, z]. Emits one frame for the first latent, `scale_temporal` for the others.
  void push(Tensor latent, State& state, const Emit& emit) const;

 private:
  struct Stage {
    std::vector<ResidualBlock> blocks;
    std::optional<Upsample> upsample;
  };
  void run_stage(size_t index, Tensor frame, State& state, const Emit& emit) const;
  void finish(Tensor frame, State& state, const Emit& emit) const;

  PointwiseConv post_quant_conv_;
  CausalConv conv_in_, conv_out_;
  MidBlock mid_;
  std::vector<Stage> stages_;
  ChannelNorm norm_out_;
};

}  // namespace mxdit::wan_vae

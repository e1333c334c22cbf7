// WanEncoder3d with quant_conv behind it: frames in, moments out, one frame at a time.
#pragma once

#include <optional>
#include <vector>

#include "core/cancel.h"
#include "models/wan_vae/config.h"
#include "models/wan_vae/mid_block.h"
#include "models/wan_vae/resample.h"

namespace mxdit::wan_vae {

class Encoder {
 public:
  struct StageState {
    std::vector<ResidualBlock::State> blocks;
    Downsample::State downsample;
  };
  // What one clip (or tile of one) has left behind in the convolutions over time.
  struct State {
    std::vector<StageState> stages;
    FrameHistory conv_in, conv_out;
    MidBlock::State mid;
    const CancelToken* cancel = nullptr;  // checked between blocks
  };

  static Encoder load(const ModelSource& source, const Config& config);
  State start(const CancelToken* cancel) const;
  // frame [1, H, W, 3] -> mean and log-variance [1, H / s, W / s, 2z] (rounded down), after the
  // first frame and then after every `scale_temporal`-th one; nothing in between.
  std::optional<Tensor> push(Tensor frame, State& state) const;

 private:
  struct Stage {
    std::vector<ResidualBlock> blocks;
    std::optional<Downsample> downsample;
  };
  std::optional<Tensor> run_stages(Tensor frame, State& state) const;

  CausalConv conv_in_, conv_out_;
  std::vector<Stage> stages_;
  MidBlock mid_;
  ChannelNorm norm_out_;
  PointwiseConv quant_conv_;
};

}  // namespace mxdit::wan_vae

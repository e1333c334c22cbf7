// WanResidualBlock: norm, SiLU, causal conv, twice, plus the input (through a 1x1 convolution where
// the width changes). Frames [1, H, W, C].
#pragma once

#include <optional>
#include <string>

#include "models/wan_vae/conv.h"

namespace mxdit::wan_vae {

class ResidualBlock {
 public:
  struct State {
    FrameHistory conv1, conv2;
  };

  static ResidualBlock load(const ModelSource& source, const std::string& name, int64_t out,
                            int64_t in);
  // Takes the frame over, so that its memory is free as early as possible.
  Tensor forward(Tensor frame, State& state) const;

 private:
  ChannelNorm norm1_, norm2_;
  CausalConv conv1_, conv2_;
  std::optional<PointwiseConv> shortcut_;
};

}  // namespace mxdit::wan_vae

// WanMidBlock: a residual block, attention, a residual block. Frames [1, H, W, C].
#pragma once

#include <string>

#include "core/cancel.h"
#include "models/wan_vae/attention_block.h"
#include "models/wan_vae/residual_block.h"

namespace mxdit::wan_vae {

class MidBlock {
 public:
  struct State {
    ResidualBlock::State before, after;
  };

  static MidBlock load(const ModelSource& source, const std::string& name, int64_t channels);
  Tensor forward(Tensor frame, State& state, const CancelToken* cancel) const;

 private:
  ResidualBlock before_, after_;
  AttentionBlock attention_;
};

}  // namespace mxdit::wan_vae

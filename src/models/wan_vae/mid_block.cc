#include "models/wan_vae/mid_block.h"

namespace mxdit::wan_vae {

MidBlock MidBlock::load(const ModelSource& source, const std::string& name, int64_t channels) {
  MidBlock block;
  block.before_ = ResidualBlock::load(source, name + ".resnets.0", channels, channels);
  block.attention_ = AttentionBlock::load(source, name + ".attentions.0", channels);
  block.after_ = ResidualBlock::load(source, name + ".resnets.1", channels, channels);
  return block;
}

Tensor MidBlock::forward(Tensor frame, State& state, const CancelToken* cancel) const {
  check_cancelled(cancel);
  frame = before_.forward(std::move(frame), state.before);
  check_cancelled(cancel);
  frame = attention_.forward(frame);
  check_cancelled(cancel);
  return after_.forward(std::move(frame), state.after);
}

}  // namespace mxdit::wan_vae

#include "models/wan_vae/residual_block.h"

#include "ops/ops.h"

namespace mxdit::wan_vae {

ResidualBlock ResidualBlock::load(const ModelSource& source, const std::string& name, int64_t out,
                                  int64_t in) {
  ResidualBlock block;
  block.backend_ = source.backend;
  block.norm1_ = ChannelNorm::load(source, name + ".norm1", 4, in, Activation::silu);
  block.conv1_ = CausalConv::load(source, name + ".conv1", out, in, 3);
  block.norm2_ = ChannelNorm::load(source, name + ".norm2", 4, out, Activation::silu);
  block.conv2_ = CausalConv::load(source, name + ".conv2", out, out, 3);
  if (in != out) block.shortcut_ = PointwiseConv::load(source, name + ".conv_shortcut", 5, out, in);
  return block;
}

Tensor ResidualBlock::forward(Tensor frame, State& state) const {
  // Each assignment drops the tensor before it: three frames are alive at most.
  Tensor x = norm1_.forward(frame);
  if (shortcut_) frame = shortcut_->forward(frame);
  x = conv1_.forward(x, state.conv1);
  x = norm2_.forward(x);
  x = conv2_.forward(x, state.conv2);
  return ops::add(*backend_, x, frame);
}

}  // namespace mxdit::wan_vae

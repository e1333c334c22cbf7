#include "models/wan_vae/residual_block.h"

namespace mxdit::wan_vae {

ResidualBlock ResidualBlock::load(const ModelSource& source, const std::string& name, int64_t out,
                                  int64_t in) {
  ResidualBlock block;
  block.norm1_ = ChannelNorm::load(source, name + ".norm1", 4, in, Activation::silu);
  block.conv1_ = CausalConv::load(source, name + ".conv1", out, in, 3, kBorder);
  block.norm2_ = ChannelNorm::load(source, name + ".norm2", 4, out, Activation::silu);
  block.conv2_ = CausalConv::load(source, name + ".conv2", out, out, 3, kBorder);
  if (in != out) block.shortcut_ = PointwiseConv::load(source, name + ".conv_shortcut", 5, out, in);
  return block;
}

Tensor ResidualBlock::forward(Tensor frame, State& state) const {
  // Each assignment drops the tensor before it: three frames are alive at most, beside those that
  // the convolutions remember.
  Tensor x = norm1_.forward(frame, kBorder);
  if (shortcut_) frame = shortcut_->forward(frame);
  x = conv1_.forward(x, state.conv1, norm2_.tail(kBorder));
  return conv2_.forward(x, state.conv2, {.residual = &frame});
}

}  // namespace mxdit::wan_vae

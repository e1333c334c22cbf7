#include "models/wan_vae/attention_block.h"

#include <cmath>

#include "ops/ops.h"

namespace mxdit::wan_vae {

AttentionBlock AttentionBlock::load(const ModelSource& source, const std::string& name,
                                    int64_t channels) {
  const auto part = [&](int64_t index) {
    return PointwiseConv::load(source, name + ".to_qkv", 4, 3 * channels, index * channels,
                               channels, channels);
  };
  AttentionBlock block;
  block.backend_ = source.backend;
  block.norm_ = ChannelNorm::load(source, name + ".norm", 3, channels, Activation::none);
  block.query_ = part(0);
  block.key_ = part(1);
  block.value_ = part(2);
  block.proj_ = PointwiseConv::load(source, name + ".proj", 4, channels, channels);
  return block;
}

Tensor AttentionBlock::forward(const Tensor& frame) const {
  const int64_t channels = frame.dim(3);
  const Shape heads = {frame.dim(0), frame.dim(1) * frame.dim(2), 1, channels};
  const Tensor x = norm_.forward(frame);
  AttentionParams params;
  params.scale = 1.0f / std::sqrt(static_cast<float>(channels));
  const Tensor mixed =
      ops::attention(*backend_, query_.forward(x).reshape(heads), key_.forward(x).reshape(heads),
                     value_.forward(x).reshape(heads), params);
  return ops::add(*backend_, proj_.forward(mixed.reshape(frame.shape())), frame);
}

}  // namespace mxdit::wan_vae

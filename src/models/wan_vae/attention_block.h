// WanAttentionBlock: self-attention with one head among the pixels of a frame [1, H, W, C].
#pragma once

#include <string>

#include "models/wan_vae/conv.h"

namespace mxdit::wan_vae {

class AttentionBlock {
 public:
  static AttentionBlock load(const ModelSource& source, const std::string& name, int64_t channels);
  Tensor forward(const Tensor& frame) const;

 private:
  Backend* backend_ = nullptr;
  ChannelNorm norm_;
  PointwiseConv query_, key_, value_, proj_;
};

}  // namespace mxdit::wan_vae

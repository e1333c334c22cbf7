// One transformer block: self-attention, cross-attention, feed-forward.
#pragma once

#include <optional>
#include <string>

#include "layers/feed_forward.h"
#include "layers/norms.h"
#include "models/wan_dit/attention.h"
#include "models/wan_dit/conditioning.h"
#include "models/wan_dit/config.h"

namespace mxdit::wan_dit {

class Block {
 public:
  Block(const ModelSource& source, const std::string& scope, const Config& config);

  const CrossAttention& cross_attention() const noexcept { return cross_; }

  // Adds to x [B, S, D] in the compute dtype. Norms, modulation and gates are fp32 inside with one
  // rounding at the end of each, where diffusers has them.
  void operator()(Residual& x, const Conditioning& conditioning, const ContextKeys& keys,
                  const Tensor& cos, const Tensor& sin) const;

 private:
  Backend& backend_;
  float eps_;
  Tensor modulation_;  // f32 [6, D]
  SelfAttention self_;
  std::optional<LayerNorm> cross_norm_;
  CrossAttention cross_;
  FeedForward feed_forward_;
};

}  // namespace mxdit::wan_dit

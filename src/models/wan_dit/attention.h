// The two attentions of a Wan block. Norms of q and k span all heads.
#pragma once

#include <optional>
#include <string>

#include "layers/linear.h"
#include "layers/linear_group.h"
#include "layers/norms.h"
#include "models/wan_dit/config.h"

namespace mxdit::wan_dit {

class SelfAttention {
 public:
  SelfAttention(const ModelSource& source, const std::string& scope, const Config& config);

  // x [B, S, D]; cos, sin f32 [S, head / 2] -> [B, S, D].
  Tensor operator()(const LinearInput& x, const Tensor& cos, const Tensor& sin) const;

 private:
  Backend& backend_;
  int64_t heads_, head_size_;
  AttentionPrecision precision_;
  LinearGroup qkv_;
  RmsNorm norm_q_, norm_k_;
  Linear out_;
};

// Keys and values of one block: the same for all steps of a prompt. [B, L, heads, head size].
struct ContextKeys {
  Tensor k, v;
  Tensor image_k, image_v;  // undefined without projections of their own
};

class CrossAttention {
 public:
  CrossAttention(const ModelSource& source, const std::string& scope, const Config& config);

  // text [B, L, D]; image [B, I, D] or undefined: only with added projections.
  ContextKeys keys(const Tensor& text, const Tensor& image) const;
  // How keys() quantizes its inputs at the present step.
  std::string keys_encoding() const;
  // x [B, S, D] -> [B, S, D].
  Tensor operator()(const LinearInput& x, const ContextKeys& keys) const;

 private:
  // The image's keys and values, whose results are added to the text's.
  struct Added {
    LinearGroup kv;
    RmsNorm norm_k;
  };
  Tensor split_heads(const Tensor& x) const;

  Backend& backend_;
  int64_t heads_, head_size_;
  Linear q_;
  LinearGroup kv_;
  RmsNorm norm_q_, norm_k_;
  Linear out_;
  std::optional<Added> added_;
};

}  // namespace mxdit::wan_dit

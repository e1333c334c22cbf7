// Projects image features (CLIP) to the width of the model.
#pragma once

#include <string>

#include "layers/feed_forward.h"
#include "layers/norms.h"
#include "models/wan_dit/config.h"

namespace mxdit::wan_dit {

class ImageEmbedding {
 public:
  ImageEmbedding(const ModelSource& source, const std::string& scope, const Config& config);

  // image [B, I, image_dim] -> [B, I, D]. With a position table, first and last image come as two
  // rows of the batch and are joined: [2B, I, image_dim] -> [B, 2I, D].
  Tensor operator()(const Tensor& image) const;

 private:
  Tensor with_positions(const Tensor& image) const;

  Backend& backend_;
  LayerNorm norm1_;
  FeedForward ff_;
  LayerNorm norm2_;
  Tensor positions_;  // f32 [2I, image_dim], or undefined
};

}  // namespace mxdit::wan_dit

// WanTimeTextImageEmbedding: timesteps, prompt and image to the width of the model.
#pragma once

#include <optional>
#include <string>

#include "layers/feed_forward.h"
#include "models/wan_dit/conditioning.h"
#include "models/wan_dit/config.h"
#include "models/wan_dit/image_embedding.h"

namespace mxdit::wan_dit {

// Sinusoids of timesteps, cosines first: f32 [n, width], host.
Tensor timestep_sinusoids(std::span<const float> timesteps, int64_t width);

class TimeTextEmbedding {
 public:
  TimeTextEmbedding(const ModelSource& source, const std::string& scope, const Config& config);

  // The result points to `rows`.
  Conditioning time(const TimestepRows& rows) const;
  // [B, L, text_dim] -> [B, L, D]; both in the compute dtype.
  Tensor text(const Tensor& text) const { return text_(text); }
  const std::optional<ImageEmbedding>& image() const noexcept { return image_; }

 private:
  Backend& backend_;
  DType compute_;
  int64_t freq_dim_, inner_;
  FeedForward time_;  // runs in f32 always, as diffusers keeps it
  Linear time_projection_;
  FeedForward text_;
  std::optional<ImageEmbedding> image_;
};

}  // namespace mxdit::wan_dit

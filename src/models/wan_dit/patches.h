// Between latents [B, C, F, H, W] and tokens [B, S, D].
#pragma once

#include <memory>

#include "layers/linear.h"
#include "layers/model_source.h"
#include "models/wan_dit/config.h"
#include "models/wan_dit/rope.h"

namespace mxdit::wan_dit {

// A convolution whose stride is its kernel: one product per patch. Stored as a convolution weight
// [D, C, pt, ph, pw] and never quantized.
class PatchEmbedding {
 public:
  PatchEmbedding(const ModelSource& source, const std::string& scope, const Config& config);

  // latents in the compute dtype -> [B, tokens(grid), D].
  Tensor operator()(const Tensor& latents, const Grid& grid) const;

 private:
  Backend& backend_;
  std::array<int64_t, 3> patch_;
  std::shared_ptr<PreparedWeight> weight_;
  Tensor bias_;
};

// Patches of a video; Error{usage} when an extent is no multiple of the patch or has more patches
// than there are positions.
Grid patch_grid(const Shape& latents, const Config& config);

// [B, tokens, pt * ph * pw * C] -> [B, C, F, H, W].
Tensor unpatchify(Backend& backend, const Tensor& tokens, const Grid& grid, const Config& config);

}  // namespace mxdit::wan_dit

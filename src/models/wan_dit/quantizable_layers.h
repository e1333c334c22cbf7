// The linear layers of a WanTransformer3DModel that quantization may touch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/wan_dit/config.h"

namespace mxdit::wan_dit {

struct QuantizableLayer {
  std::string name;  // "blocks.0.attn1.to_q"
  int64_t out_features = 0, in_features = 0;
  std::optional<int64_t> block;  // none: proj_out, behind the blocks
};

// Attention, feed-forward and image projections of every block, and proj_out, in the order of the
// network. The embedders of time, text, image and patches are never quantized: they are small, run
// once a step, and everything else depends on them.
std::vector<QuantizableLayer> quantizable_layers(const Config& config);

}  // namespace mxdit::wan_dit

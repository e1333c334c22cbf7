// Which type every layer gets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conversion/quantize/weight_types.h"
#include "models/wan_dit/quantizable_layers.h"

namespace mxdit::conversion {

struct Recipe {
  // One type for all layers. Null: the default recipe, W8A8_MXFP8 for the first blocks and
  // W4A4_MXFP4_DUALSCALE for the rest.
  const WeightType* type = nullptr;
  std::optional<int64_t> mxfp8_blocks;  // of the default recipe; none: default_mxfp8_blocks()
  std::vector<std::string> keep;        // whole dotted segments of layers that stay plain
  bool proj_out = false;                // quantize proj_out as well
};

// min(5, one eighth of the blocks, rounded up): msmodelslim's recipe for Wan2.2 keeps blocks 0 to 4
// of 40 in 8 bits; smaller models keep the same part.
int64_t default_mxfp8_blocks(int64_t num_layers);

struct LayerChoice {
  wan_dit::QuantizableLayer layer;
  const WeightType* wanted = nullptr;
  const WeightType* type = nullptr;
  std::string reason;  // why it is another one than wanted; empty: it is the wanted one
  bool unfit = false;  // the reason is the layer's width
};

std::vector<LayerChoice> choose_types(const wan_dit::Config& config, const Recipe& recipe);

}  // namespace mxdit::conversion

// The tensors of a WanTransformer3DModel: what a checkpoint has to hold, by configuration alone.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.h"
#include "models/wan_dit/config.h"

namespace mxdit::wan_dit {

struct ModelTensor {
  std::string name;     // diffusers' name: "blocks.0.attn1.to_q.weight"
  Shape shape;          // of the plain (not quantized) tensor
  bool linear = false;  // the weight [out, in] of a linear layer, which a quantized one may replace
};

// All of them, each once, in the order of the network.
std::vector<ModelTensor> tensors_of(const Config& config);

// Left over in converted checkpoints: names with one of these words are read by nobody. diffusers
// skips them as well (_keys_to_ignore_on_load_unexpected).
inline constexpr std::array<std::string_view, 1> kIgnorable = {"norm_added_q"};
bool is_ignorable_tensor(const std::string& name);

}  // namespace mxdit::wan_dit

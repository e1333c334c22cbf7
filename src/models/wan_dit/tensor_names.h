// The tensors of a WanTransformer3DModel: what a checkpoint has to hold, by configuration alone.
#pragma once

#include <string>
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

// A tensor that converted checkpoints hold and no model reads.
bool is_ignorable_tensor(const std::string& name);

}  // namespace mxdit::wan_dit

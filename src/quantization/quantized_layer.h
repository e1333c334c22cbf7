// The layer that all quantized methods share: a weight in one QuantFormat, activations encoded to
// another (usually the same) at run time. Methods differ in where the weight comes from.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quantization/linear_method.h"

namespace mxdit {

// How an activation is encoded.
struct ActivationRecipe {
  const QuantFormat* format = nullptr;
  RoundMode round = RoundMode::rint;
  Tensor smooth_scale;          // bf16 [K] in host memory; undefined: none
  float static_scale = 0.0f;    // see QuantizeOptions
  float static_offset = 0.0f;
  // The scale of a static activation is already part of the weight's (integer checkpoints'
  // deq_scale): the product ignores the activation's own.
  bool scale_in_weight = false;

  // Equal for recipes that encode alike.
  std::string key() const;
};

// Inputs in f32 are rounded to bf16 before they are encoded, as the reference system does; the
// result has the input's dtype. `weight` is on the device. A `replaced_bias` (f32 [N], host, may be
// undefined) takes the place of the bias that apply() is given.
std::unique_ptr<PreparedLinear> make_quantized_layer(Backend& backend, const QuantizedMatrix& weight,
                                                     ActivationRecipe recipe,
                                                     Tensor replaced_bias = {});

// The same weight with several recipes, of which choose() names the present one (its place): a
// timestep policy changes it between steps, never between encode and apply.
std::unique_ptr<PreparedLinear> make_quantized_layer(Backend& backend, const QuantizedMatrix& weight,
                                                     std::vector<ActivationRecipe> recipes,
                                                     std::function<size_t()> choose);

}  // namespace mxdit

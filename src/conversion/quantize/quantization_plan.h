// Everything there is to know about the quantized files of one transformer before the first is
// written.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "conversion/quantize/recipe.h"
#include "conversion/weight_rules/weight_rule.h"
#include "models/wan_dit/config.h"

namespace mxdit::conversion {

struct OutputTensor {
  static constexpr size_t kNoLayer = SIZE_MAX;

  std::string target;        // name in the output
  TensorPlace place;         // of the plain tensor it is made of
  DType dtype = DType::f32;  // as it will be written
  Shape shape;
  uint64_t source_bytes = 0;  // of `place`; 0 for all but the first tensor made of a weight
  size_t layer = kNoLayer;    // of QuantizationPlan::layers; kNoLayer: the plain tensor as it is
  LayerPart part = LayerPart::bias;  // of that layer
};

struct QuantizationPlan {
  std::vector<LayerChoice> layers;
  std::vector<OutputTensor> tensors;  // a layer's stand together
  std::string description;            // text of quant_model_description.json
  std::vector<std::string> warnings;
};

struct OutputForm {
  bool container = false;
  bool original_names = false;
};

// Errors: bad_input naming file and tensor for a checkpoint that is quantized already or does not
// fit its model, not_found for a missing tensor; unsupported naming layer, rule and type when the
// rule does not encode a chosen type.
QuantizationPlan plan_quantization(const WeightStore& weights, const wan_dit::Config& config,
                                   const Recipe& recipe, const WeightRule& rule,
                                   const OutputForm& form);

}  // namespace mxdit::conversion

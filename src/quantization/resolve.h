// Which QuantConfig a component's weights are loaded with.
//
// In this order, the first that applies:
//   1. --quantization KEY (with modelslim: the description in the component's folder);
//   2. the component folder's quant_model_description*.json;
//   3. config.json's quantization_config;
//   4. with a weights path of its own: that folder's description and config.json;
//   5. the safetensors metadata (_quantization_metadata, quantization_config);
//   6. the tensors: quantized ones that nothing declares are an error, as are only plain ones where a
//      method is declared. Weights in fp8 count as plain when no tensor of the checkpoint is a scale:
//      a cast of plain weights has none, and whatever quantized them would have left some;
//   7. plain.
// All that is found has to agree: two sources that do not are an error that names both.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "io/json_file.h"
#include "quantization/linear_method.h"
#include "quantization/step_clock.h"

namespace mxdit {

// What the user asked for; the same for all components.
struct QuantizationRequest {
  std::string key;  // --quantization; empty: whatever the checkpoint declares
  std::vector<std::string> ignored_layers;
  std::string cache_folder;
};

// One component.
struct QuantizationSubject {
  std::string component;         // "transformer"
  std::filesystem::path folder;  // with the description, if any
  const Json* config = nullptr;  // its config.json
  std::string config_file;
  const WeightStore* weights = nullptr;
  // Set when --transformer-weights-path replaced the weights: that file or folder.
  std::filesystem::path weights_path;
  std::shared_ptr<const StepClock> clock;
};

struct ResolvedQuantization {
  std::shared_ptr<const QuantConfig> config;
  std::string source;  // what decided: "--quantization mxfp8", "FILE", "nothing declares any"
  std::vector<std::string> considered;  // one line per step looked at, in order
};

// Errors: unsupported for an unknown key or type; bad_input for files, tensors and flags that contradict
// each other; not_found for a description that is asked for; usage for a flag without effect.
ResolvedQuantization resolve_quantization(const QuantizationRequest& request,
                                          const QuantizationSubject& subject);

}  // namespace mxdit

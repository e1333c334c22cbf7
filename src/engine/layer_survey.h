// How the linear layers of a component would be prepared, found by building the network without its
// weights.
#pragma once

#include <string>
#include <vector>

#include "engine/loader.h"

namespace mxdit {

struct SurveyedLayer {
  std::string name;
  int64_t out_features = 0, in_features = 0;
  std::string method, reason;
  LinearInfo info;
};

struct LayerSurvey {
  std::vector<SurveyedLayer> layers;  // that may be quantized, in the order of construction
  std::vector<SurveyedLayer> fixed;   // that never are: embeddings of time and text
};

// A text encoder or a transformer; Error{internal} for others.
LayerSurvey survey_layers(const Checkpoint& checkpoint, Backend& backend, DType compute,
                          const std::string& component);

}  // namespace mxdit

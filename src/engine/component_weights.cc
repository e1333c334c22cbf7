#include "engine/component_weights.h"

#include <algorithm>

#include "engine/layer_survey.h"
#include "quantization/configs/plain/config.h"

namespace mxdit {

uint64_t copied_bytes(const WeightStore& weights) {
  uint64_t bytes = 0;
  for (const std::string& name : weights.names()) {
    const Shape shape = weights.place_of(name).shape;
    if (shape.rank() != 2) bytes += static_cast<uint64_t>(shape.elements()) * sizeof(float);
  }
  return bytes;
}

ComponentWeights survey_component(const Checkpoint& checkpoint, Backend& backend, DType compute,
                                  const std::string& name, bool cache) {
  const WeightStore& store = checkpoint.weights(name);
  ComponentWeights weights;
  weights.name = name;
  weights.copies = copied_bytes(store);
  if (name == "vae") {  // nothing of it but what is reordered is looked at again
    weights.read = store.total_bytes();
    return weights;
  }
  weights.quantized = name != "text_encoder" &&
                      checkpoint.quantization(name).config->name() != plain_quantization().name();
  weights.mapped = store.total_bytes();
  const LayerSurvey survey = survey_layers(checkpoint, backend, compute, name);
  for (const SurveyedLayer& layer : survey.fixed) weights.layers += layer.info.resident_bytes;
  for (const SurveyedLayer& layer : survey.layers) {
    weights.layers += layer.info.resident_bytes;
    weights.working = std::max(weights.working, layer.info.working_bytes);
    if (layer.info.working_bytes == 0) continue;  // used as it lies
    const uint64_t stored = store.place_of(layer.name + ".weight").bytes;
    weights.read += stored;
    weights.mapped += layer.info.mapped_bytes - stored;
    if (cache) weights.cached += layer.info.mapped_bytes;
  }
  return weights;
}

}  // namespace mxdit

#include "mxdit/inspect.h"

#include <algorithm>

#include "backend/registry.h"
#include "engine/checkpoint_options.h"
#include "engine/component_weights.h"
#include "engine/layer_survey.h"

namespace mxdit {
namespace {

void count_tensors(const WeightStore& weights, ComponentReport& report) {
  for (const std::string& name : weights.names()) {
    const TensorPlace place = weights.place_of(name);
    StoredTensors& entry = report.dtypes[std::string(mxdit::name(place.dtype))];
    ++entry.count;
    entry.bytes += place.bytes;
    report.stored_bytes += place.bytes;
  }
}

void add_layers(const std::vector<SurveyedLayer>& layers, ModelReport& model,
                ComponentReport& component) {
  for (const SurveyedLayer& layer : layers) {
    model.layers.push_back({component.name, layer.name, layer.out_features, layer.in_features,
                            layer.info.type, layer.method, layer.reason, layer.info.kernel.kernel,
                            layer.info.kernel.passed_over, layer.info.resident_bytes,
                            layer.info.mapped_bytes});
    component.resident_bytes += layer.info.resident_bytes;
    component.mapped_bytes += layer.info.mapped_bytes;
    model.working_bytes = std::max(model.working_bytes, layer.info.working_bytes);
  }
}

ComponentReport inspect_component(const Checkpoint& checkpoint, Backend& backend, DType compute,
                                  const std::string& name, ModelReport& model) {
  const Component& component = checkpoint.component(name);
  const WeightStore& weights = checkpoint.weights(name);
  ComponentReport report;
  report.name = name;
  report.class_name = component.class_name;
  report.path = weights.path().string();
  count_tensors(weights, report);
  if (name == "vae") {
    report.resident_bytes = copied_bytes(weights);
    return report;
  }
  if (name != "text_encoder") {
    const ResolvedQuantization& resolved = checkpoint.quantization(name);
    report.quantization = resolved.config->name();
    report.quantization_source = resolved.source;
    report.considered = resolved.considered;
  }
  add_layers(survey_layers(checkpoint, backend, compute, name).layers, model, report);
  return report;
}

}  // namespace

ModelReport inspect_model(const EngineOptions& options) {
  const auto backend = make_backend(options.device, {options.threads, options.isa});
  const Checkpoint checkpoint(checkpoint_options(options, nullptr));
  const DType compute = parse_compute(options.dtype);
  ModelReport model;
  model.class_name = checkpoint.folder().class_name();
  model.info = describe_engine(options, checkpoint, *backend, checkpoint.fingerprint());
  for (const char* name : {"text_encoder", "transformer", "transformer_2", "vae"}) {
    if (name == std::string("transformer_2") && !checkpoint.has_two_experts()) continue;
    const ComponentReport report = inspect_component(checkpoint, *backend, compute, name, model);
    model.resident_bytes += report.resident_bytes;
    model.mapped_bytes += report.mapped_bytes;
    model.components.push_back(report);
  }
  return model;
}

}  // namespace mxdit

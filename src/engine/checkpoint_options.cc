#include "engine/checkpoint_options.h"

#include "core/error.h"

namespace mxdit {

CheckpointOptions checkpoint_options(const EngineOptions& given,
                                     std::shared_ptr<const StepClock> clock) {
  CheckpointOptions options;
  options.path = given.model_path.empty() ? embedded_model_path() : given.model_path;
  options.component_paths = given.component_paths;
  options.weights_paths = given.weights_paths;
  options.quantization = {given.quantization, given.quantization_ignored_layers,
                          given.quantization_cache};
  options.clock = std::move(clock);
  options.attention = parse_attention_precision(given.attention_precision);
  return options;
}

DType parse_compute(const std::string& text) {
  if (text == "fp32") return DType::f32;
  if (text == "bf16") return DType::bf16;
  fail(ErrorKind::usage, "[engine] --dtype: expected fp32 or bf16, got \"", text, "\"");
}

AttentionPrecision parse_attention_precision(const std::string& text) {
  if (text == "bf16") return AttentionPrecision::bf16;
  if (text == "int8") return AttentionPrecision::int8;
  fail(ErrorKind::usage, "[engine] --attention-precision: expected bf16 or int8, got \"", text,
       "\"");
}

EngineInfo describe_engine(const EngineOptions& options, const Checkpoint& checkpoint,
                           const Backend& backend, std::string hash) {
  EngineInfo info;
  info.embedded = options.model_path.empty();
  info.model_name = checkpoint.defaults().family;
  info.model_path = checkpoint.folder().path().string();
  info.model_hash = std::move(hash);
  info.device = backend.description();
  info.dtype = options.dtype;
  info.attention_precision = options.attention_precision;
  info.quantization = checkpoint.quantization("transformer").config->name();
  if (checkpoint.has_two_experts()) {
    const std::string second = checkpoint.quantization("transformer_2").config->name();
    if (second != info.quantization) info.quantization += " and " + second;
  }
  return info;
}

}  // namespace mxdit

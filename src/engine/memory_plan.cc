#include "engine/memory_plan.h"

#include <algorithm>
#include <iomanip>

#include "core/error.h"
#include "engine/layer_survey.h"
#include "models/footprint.h"
#include "quantization/configs/plain/config.h"
#include "pipelines/memory_use.h"

namespace mxdit {
namespace {

// Blocks of the memory pool come in size classes, and some lie idle between uses.
uint64_t pooled(uint64_t bytes) { return bytes + bytes / 2; }

// The program, its libraries, configurations and headers.
constexpr uint64_t kProgram = uint64_t{48} << 20;

ConfigFile config_of(const Checkpoint& checkpoint, const std::string& name) {
  const Component& component = checkpoint.component(name);
  return {component.class_name, &component.config, component.config_file};
}

uint64_t frames_bytes(const SamplingParams& params) {
  const uint64_t pixels = static_cast<uint64_t>(params.width) *
                          static_cast<uint64_t>(params.height) *
                          static_cast<uint64_t>(params.num_frames);
  return pixels * 3 * static_cast<uint64_t>(params.videos());  // 8 bit, all videos of the call
}

// What quantizing at load keeps in memory, and what preparing the largest layer takes besides.
void add_quantized_weights(const Checkpoint& checkpoint, Backend& backend, DType compute,
                           MemoryPlan& plan) {
  uint64_t working = 0;
  for (const char* name : {"transformer", "transformer_2"}) {
    if (name == std::string("transformer_2") && !checkpoint.has_two_experts()) continue;
    if (checkpoint.quantization(name).config->name() == plain_quantization().name()) continue;
    for (const SurveyedLayer& layer : survey_layers(checkpoint, backend, compute, name)) {
      plan.weight_bytes += layer.info.resident_bytes;
      working = std::max(working, layer.info.working_bytes);
    }
  }
  if (working > 0) plan.stages.push_back({"LoadingStage", working});
}

std::string gib(uint64_t bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << static_cast<double>(bytes) / (1 << 30) << " GiB";
  return out.str();
}

}  // namespace

uint64_t repacked_bytes(const WeightStore& weights) {
  uint64_t bytes = 0;
  for (const std::string& name : weights.names()) {
    const Tensor tensor = weights.get(name);
    if (tensor.shape().rank() >= 4) bytes += static_cast<uint64_t>(tensor.elements()) * 4;
  }
  return bytes;
}

uint64_t MemoryPlan::peak_bytes() const {
  uint64_t peak = 0;
  for (const StageMemory& stage : stages) peak = std::max(peak, stage.bytes);
  return peak + weight_bytes + resident_bytes;
}

MemoryPlan plan_memory(const Checkpoint& checkpoint, Backend& backend,
                       const SamplingParams& params, DType compute) {
  const CheckpointGeometry geometry = checkpoint.geometry();
  const Shape latents{1, checkpoint.traits().in_channels,
                      (params.num_frames - 1) / geometry.scale_temporal + 1,
                      params.height / geometry.scale_spatial,
                      params.width / geometry.scale_spatial};
  const int contexts = params.guided() ? 2 : 1;
  const int64_t text = params.max_sequence_length;
  MemoryPlan plan;
  plan.weight_bytes = repacked_bytes(checkpoint.weights("vae"));
  plan.resident_bytes = kProgram + frames_bytes(params);
  for (const char* name : {"text_encoder", "transformer", "transformer_2", "vae"})
    if (name != std::string("transformer_2") || checkpoint.has_two_experts())
      plan.mapped_bytes += checkpoint.weights(name).total_bytes();
  if (params.from_latents_path.empty()) add_quantized_weights(checkpoint, backend, compute, plan);
  if (params.from_latents_path.empty()) {
    plan.stages.push_back({"TextEncodingStage",
                           pooled(text_encoder_bytes(config_of(checkpoint, "text_encoder"), text,
                                                     compute))});
    plan.stages.push_back({"DenoisingStage",
                           pooled(denoiser_bytes(config_of(checkpoint, "transformer"), latents, text,
                                                 contexts, compute))});
  }
  plan.stages.push_back(
      {"DecodingStage",
       pooled(decode_bytes(config_of(checkpoint, "vae"), latents, params.tiling, compute))});
  return plan;
}

void check_memory(const MemoryPlan& plan, uint64_t limit, bool loaded, const LogSink& log) {
  const std::optional<uint64_t> available = limit > 0 ? std::optional(limit) : available_memory();
  if (!available) return;
  const uint64_t needed = plan.peak_bytes() - (loaded && limit == 0 ? plan.weight_bytes : 0);
  const auto widest = std::max_element(
      plan.stages.begin(), plan.stages.end(),
      [](const StageMemory& a, const StageMemory& b) { return a.bytes < b.bytes; });
  if (needed > *available)
    fail(ErrorKind::out_of_memory, "[engine] memory: expected at most ", gib(*available),
         limit > 0 ? " (--max-memory)" : " (available now)", ", got a run that needs ",
         gib(needed), " (", widest->stage, " ", gib(widest->bytes), ", weights and results ",
         gib(plan.weight_bytes + plan.resident_bytes), ") beside the mapped checkpoint of ", gib(plan.mapped_bytes),
         "; make the video smaller or shorter, or use --vae-tiling");
  if (log && plan.mapped_bytes + needed > *available)
    log(LogLevel::warning, "memory: the checkpoint (" + gib(plan.mapped_bytes) + ") and the run (" +
                               gib(needed) + ") exceed " + gib(*available) +
                               "; weights will be read from disk again in every step");
}

}  // namespace mxdit

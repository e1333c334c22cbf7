// From a checkpoint folder to networks.
//
// A Checkpoint is opened cheaply (configurations, headers, mappings); load() builds the networks.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/weight_store.h"
#include "models/model.h"
#include "pipelines/defaults.h"
#include "pipelines/pipeline.h"
#include "quantization/resolve.h"
#include "schedulers/scheduler.h"
#include "stages/run_state.h"
#include "text/tokenizer.h"

namespace mxdit {

// The networks and what they live on.
struct LoadedModel {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<TextEncoder> text_encoder;
  std::unique_ptr<Denoiser> transformer, transformer_2;
  std::unique_ptr<VideoAutoencoder> vae;
};

// How pixels and frames become latents and tokens.
struct CheckpointGeometry {
  int64_t scale_spatial = 8, scale_temporal = 4;
  int64_t patch_height = 2, patch_width = 2;
};

struct CheckpointOptions {
  std::string path;
  std::map<std::string, std::string> component_paths;  // see EngineOptions
  std::map<std::string, std::string> weights_paths;
  QuantizationRequest quantization;
  std::shared_ptr<const StepClock> clock;
  AttentionPrecision attention = AttentionPrecision::bf16;  // of the transformers' self-attention
};

class Checkpoint {
 public:
  // Errors name the file. Checks that every component the pipeline needs is there.
  explicit Checkpoint(const CheckpointOptions& options);

  const ModelFolder& folder() const { return folder_; }
  const SamplingDefaults& defaults() const { return defaults_; }
  const ModelTraits& traits() const { return traits_; }
  bool has_two_experts() const { return traits_.two_experts; }
  CheckpointGeometry geometry() const;
  int64_t networks() const;  // steps of load()
  std::string fingerprint() const { return folder_.fingerprint(weights_paths_); }

  const Component& component(const std::string& name) const { return components_.at(name); }
  const WeightStore& weights(const std::string& component) const { return weights_.at(component); }
  // Of a transformer; other components are never quantized.
  const ResolvedQuantization& quantization(const std::string& component) const {
    return quantization_.at(component);
  }

  // Builds all networks. `step` is called after each.
  LoadedModel load(Backend& backend, DType compute, const UnitProgress& step) const;
  std::unique_ptr<Scheduler> make_scheduler(const SamplingParams& params) const;

  // What a component is built from; lives no longer than the checkpoint.
  ModelSource source(const std::string& component, Backend& backend, DType compute) const;

 private:
  void open_weights(const CheckpointOptions& options);
  void resolve(const CheckpointOptions& options);
  void read_defaults();
  void check_widths(const LoadedModel& model) const;

  ModelFolder folder_;
  std::map<std::string, Component> components_;
  std::map<std::string, WeightStore> weights_;
  std::map<std::string, std::filesystem::path> weights_paths_;  // of replaced weights
  std::map<std::string, ResolvedQuantization> quantization_;
  AttentionPrecision attention_;
  SamplingDefaults defaults_;
  ModelTraits traits_;
};

}  // namespace mxdit

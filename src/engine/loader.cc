#include "engine/loader.h"

#include <filesystem>

#include "checkpoint/weight_files.h"
#include "core/error.h"
#include "io/json_file.h"
#include "models/registry.h"
#include "quantization/configs/plain/config.h"
#include "quantization/quantized_tensors.h"
#include "schedulers/registry.h"

namespace mxdit {
namespace {

constexpr const char* kNetworks[] = {"text_encoder", "transformer", "transformer_2", "vae"};

int64_t positive(const nlohmann::json& config, const char* key, int64_t fallback,
                 const std::string& file) {
  const int64_t value = optional_or<int64_t>(config, key, fallback, file);
  if (value < 1 || value > (int64_t{1} << 20))
    fail(ErrorKind::bad_input, "[engine] ", file, ": ", key, ": expected 1..1048576, got ", value);
  return value;
}

}  // namespace

Checkpoint::Checkpoint(const CheckpointOptions& options)
    : folder_(ModelFolder::open(options.path, {options.component_paths.begin(),
                                               options.component_paths.end()})),
      attention_(options.attention) {
  for (const char* name : {"tokenizer", "text_encoder", "scheduler", "vae", "transformer"}) {
    if (!folder_.has(name))
      fail(ErrorKind::not_found, "[engine] ", folder_.index_file(), ": expected component ", name,
           ", got none");
    components_.emplace(name, folder_.component(name));
  }
  if (folder_.has("transformer_2"))
    components_.emplace("transformer_2", folder_.component("transformer_2"));
  open_weights(options);
  resolve(options);
  const Component& transformer = component("transformer");
  const std::string& file = transformer.config_file;
  traits_.num_layers = positive(transformer.config, "num_layers", 40, file);
  traits_.num_attention_heads = positive(transformer.config, "num_attention_heads", 40, file);
  traits_.in_channels = positive(transformer.config, "in_channels", 16, file);
  traits_.two_experts = folder_.has("transformer_2");
  read_defaults();
}

void Checkpoint::open_weights(const CheckpointOptions& options) {
  for (const auto& [name, path] : options.weights_paths)
    if (!components_.contains(name))
      fail(ErrorKind::usage, "[engine] --", name == "transformer_2" ? "transformer-2" : name,
           "-weights-path: expected a model with the component ", name, ", got ",
           folder_.path().string(), " without it");
  for (const char* name : kNetworks) {
    if (!components_.contains(name)) continue;
    const auto replaced = options.weights_paths.find(name);
    weights_.emplace(name, replaced == options.weights_paths.end()
                               ? WeightStore::open(component(name).folder)
                               : open_replacement_weights(replaced->second));
    if (replaced != options.weights_paths.end()) weights_paths_.emplace(name, replaced->second);
  }
}

void Checkpoint::resolve(const CheckpointOptions& options) {
  for (const char* name : {"transformer", "transformer_2"}) {
    if (!components_.contains(name)) continue;
    const Component& part = component(name);
    QuantizationSubject subject;
    subject.component = name;
    subject.folder = part.folder;
    subject.config = &part.config;
    subject.config_file = part.config_file;
    subject.weights = &weights_.at(name);
    const auto replaced = options.weights_paths.find(name);
    if (replaced != options.weights_paths.end()) subject.weights_path = replaced->second;
    subject.clock = options.clock;
    quantization_.emplace(name, resolve_quantization(options.quantization, subject));
  }
}

void Checkpoint::read_defaults() {
  defaults_ = family_defaults(traits_);
  if (!defaults_.boundary_ratio && traits_.two_experts) {
    const std::string file = folder_.index_file();
    const double ratio = optional_or<double>(folder_.index(), "boundary_ratio", -1.0, file);
    if (!(ratio >= 0.0 && ratio <= 1.0))
      fail(ErrorKind::bad_input, "[engine] ", file,
           ": boundary_ratio: expected 0..1 (the model has transformer_2), got ",
           folder_.index().contains("boundary_ratio") ? describe(folder_.index()["boundary_ratio"])
                                                      : "none");
    defaults_.boundary_ratio = ratio;
  }
  const std::filesystem::path own = folder_.path() / "mxdit.json";
  std::error_code ignored;
  if (std::filesystem::exists(own, ignored))
    apply_model_defaults(read_json_file(own), own.string(), defaults_);
}

CheckpointGeometry Checkpoint::geometry() const {
  const Component& vae = component("vae");
  const Component& transformer = component("transformer");
  CheckpointGeometry geometry;
  geometry.scale_spatial =
      positive(vae.config, "scale_factor_spatial", 8, vae.config_file);
  geometry.scale_temporal =
      positive(vae.config, "scale_factor_temporal", 4, vae.config_file);
  const std::string file = transformer.config_file;
  const auto patch =
      optional_or<std::vector<int64_t>>(transformer.config, "patch_size", {1, 2, 2}, file);
  if (patch.size() != 3 || patch[1] < 1 || patch[2] < 1 || patch[1] > 64 || patch[2] > 64)
    fail(ErrorKind::bad_input, "[engine] ", file,
         ": patch_size: expected three numbers of 1..64, got another list");
  geometry.patch_height = patch[1];
  geometry.patch_width = patch[2];
  return geometry;
}

int64_t Checkpoint::networks() const { return static_cast<int64_t>(weights_.size()) + 1; }

ModelSource Checkpoint::source(const std::string& name, Backend& backend, DType compute) const {
  const Component& part = component(name);
  ModelSource source;
  source.backend = &backend;
  source.weights = &weights_.at(name);
  source.config = &part.config;
  source.config_file = part.config_file;
  const auto resolved = quantization_.find(name);
  source.quantization =
      resolved == quantization_.end() ? &plain_quantization() : resolved->second.config.get();
  source.compute = compute;
  source.attention = attention_;
  return source;
}

LoadedModel Checkpoint::load(Backend& backend, DType compute, const UnitProgress& step) const {
  LoadedModel model;
  int64_t done = 0;
  const auto next = [&] { step(++done, networks()); };
  const auto from = [&](const char* name) { return source(name, backend, compute); };
  const auto class_of = [&](const char* name) { return component(name).class_name; };

  model.tokenizer = std::make_unique<Tokenizer>(component("tokenizer").folder);
  next();
  model.text_encoder = make_text_encoder(class_of("text_encoder"), from("text_encoder"));
  next();
  if (model.tokenizer->vocabulary_size() > model.text_encoder->vocabulary())
    fail(ErrorKind::bad_input, "[engine] ", component("tokenizer").folder.string(),
         ": expected at most ", model.text_encoder->vocabulary(),
         " token ids (the text encoder's embedding), got ", model.tokenizer->vocabulary_size());
  const auto denoiser = [&](const char* name) {
    auto network = make_denoiser(class_of(name), from(name));
    refuse_unread_quantized(weights_.at(name), network->unused_tensors());
    next();
    return network;
  };
  model.transformer = denoiser("transformer");
  if (traits_.two_experts) model.transformer_2 = denoiser("transformer_2");
  model.vae = make_autoencoder(class_of("vae"), from("vae"));
  next();
  check_widths(model);
  return model;
}

// The networks have to fit each other.
void Checkpoint::check_widths(const LoadedModel& model) const {
  const auto check = [&](const char* name, const char* key, int64_t expected, int64_t got) {
    if (expected != got)
      fail(ErrorKind::bad_input, "[engine] ", component(name).config_file,
           ": ", key, ": expected ", expected, ", got ", got);
  };
  const auto check_denoiser = [&](const char* name, const Denoiser& denoiser) {
    check(name, "text_dim (the text encoder's d_model)", model.text_encoder->width(),
          denoiser.text_width());
    check(name, "out_channels (the VAE's z_dim)", model.vae->latent_channels(),
          denoiser.out_channels());
    if (denoiser.in_channels() != model.vae->latent_channels())
      fail(ErrorKind::unsupported, "[engine] ",
           component(name).config_file, ": in_channels: expected ",
           model.vae->latent_channels(), " (text to video), got ", denoiser.in_channels(),
           "; models that take an image are not supported yet");
  };
  check_denoiser("transformer", *model.transformer);
  if (model.transformer_2) check_denoiser("transformer_2", *model.transformer_2);
}

std::unique_ptr<Scheduler> Checkpoint::make_scheduler(const SamplingParams& params) const {
  const Component& part = component("scheduler");
  SchedulerOverrides overrides;
  overrides.flow_shift = params.flow_shift;
  return mxdit::make_scheduler(part.config, part.config_file, overrides);
}

}  // namespace mxdit

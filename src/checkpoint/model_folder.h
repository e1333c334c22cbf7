// A model on disk in the layout of diffusers: model_index.json, and a folder per component with its
// configuration and weights.
//
// Opening reads model_index.json only; a component is looked at when it is asked for, so that a
// folder that holds just a transformer can still be quantized.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "checkpoint/index_file.h"
#include "io/json_file.h"

namespace mxdit {

struct Component {
  std::string name;              // "transformer_2"
  std::filesystem::path folder;  // where its files are; may lie outside of the model folder
  std::string class_name;        // "WanTransformer3DModel"
  Json config;                   // null for tokenizers, which have none
  std::string config_file;       // path of `config`, for messages
};

class ModelFolder {
 public:
  // `replacements`: component name -> folder used in place of the one inside the model folder.
  // Errors: not_found (no folder, no model_index.json, no replacement folder), bad_input, io;
  // usage for the replacement of a component that the model does not have.
  static ModelFolder open(const std::filesystem::path& path,
                          const std::map<std::string, std::filesystem::path>& replacements = {});

  const std::filesystem::path& path() const noexcept { return path_; }
  const std::string& class_name() const noexcept { return index_.class_name; }  // "WanPipeline"
  // All of model_index.json, for settings such as boundary_ratio and expand_timesteps.
  const Json& index() const noexcept { return index_.json; }
  std::string index_file() const { return (path_ / "model_index.json").string(); }

  // False also for an optional component that the index gives as null.
  bool has(const std::string& name) const;
  // Reads the component's configuration: scheduler_config.json of a scheduler,
  // preprocessor_config.json of a processor, none of a tokenizer, config.json of all others.
  // Errors: not_found (no such component, its folder or its configuration), bad_input, io.
  Component component(const std::string& name) const;

  // A SHA-256 that names the model's content, whatever its path: over model_index.json and, for
  // every component, the sorted names, sizes and content of its files (hidden ones left out).
  // Files up to 64 MiB count completely. Of larger ones only samples do, so that 56 GB of weights
  // take about a second: of safetensors the header and the first and last 64 KiB of every tensor,
  // of others the first and last MiB. It tells models apart; it does not prove integrity.
  // Weights that replace those of components (name -> file or folder) count beside them.
  // Component folders have to exist. Errors: as of component(), and of WeightStore for headers.
  std::string fingerprint(const std::map<std::string, std::filesystem::path>& weights = {}) const;

 private:
  std::filesystem::path folder_of(const std::string& name) const;

  std::filesystem::path path_;
  ModelIndex index_;
  std::map<std::string, std::filesystem::path> replacements_;
};

}  // namespace mxdit

// The two JSON files that say what belongs to a model: `*.safetensors.index.json` of a sharded
// component and `model_index.json` of a diffusers folder. Names in them become paths, so a name
// that could leave its folder is refused.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "io/json_file.h"

namespace mxdit {

// "weight_map": tensor name -> shard file name. Errors: not_found, bad_input, io.
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& path);
std::map<std::string, std::string> parse_weight_map(const Json& json, const std::string& file);

struct ComponentClass {
  std::string library;     // "diffusers", "transformers"
  std::string class_name;  // "WanTransformer3DModel"
};

struct ModelIndex {
  std::string class_name;                            // "_class_name": "WanPipeline"
  std::map<std::string, ComponentClass> components;  // without those given as null
  Json json;                                         // all of it, for scalars (boundary_ratio)
};

// Every array has to be [library, class] or [null, null]; other values are settings and stay in
// `json`.
ModelIndex parse_model_index(Json json, const std::string& file);

}  // namespace mxdit

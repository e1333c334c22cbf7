// What a checkpoint says about how it is quantized, and where it says so.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/json_file.h"

namespace mxdit {

struct Declaration {
  std::string method;  // its quant_method; "modelslim" for a description
  std::string where;   // "FILE", "FILE quantization_config", for messages
  Json content;
};

// quant_model_description.json of a folder, else its only quant_model_description*.json. Errors:
// bad_input for several others, and for what is not a JSON object; io.
std::optional<Declaration> folder_description(const std::filesystem::path& folder);

// The key quantization_config of a component's configuration; null counts as none. Errors: bad_input
// for anything but an object with a quant_method.
std::optional<Declaration> config_declaration(const Json& config, const std::string& file);

// `quantization_config` or `_quantization_metadata` in the headers of weights: JSON as above, or
// {"format_version", "layers": {NAME: {"format": "float8_..."}}}, which becomes fp8 with dynamic
// activations and every other layer of `tensors` ignored. `file` is for messages. Errors: bad_input
// for two that differ in method, and for what is neither; unsupported for other formats.
std::optional<Declaration> metadata_declaration(const std::map<std::string, std::string>& metadata,
                                                const std::vector<std::string>& tensors,
                                                const std::string& file);

}  // namespace mxdit

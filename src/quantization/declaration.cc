#include "quantization/declaration.h"

#include <algorithm>
#include "core/error.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription = "quant_model_description";
constexpr std::string_view kWeight = ".weight";

std::vector<std::string> descriptions_of(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(kDescription) && name.ends_with(".json")) found.push_back(name);
  }
  if (error)
    fail(ErrorKind::io, "[quantization] ", folder.string(), ": listing failed: ", error.message());
  std::sort(found.begin(), found.end());
  return found;
}

Declaration declared(const Json& content, const std::string& where) {
  if (!content.is_object())
    fail(ErrorKind::bad_input, "[quantization] ", where, ": expected an object, got ",
         describe(content));
  return {required<std::string>(content, "quant_method", where), where, content};
}

// The layers that have a weight, but for those of `layers`.
std::vector<std::string> other_layers(const std::vector<std::string>& tensors, const Json& layers) {
  std::vector<std::string> names;
  for (const std::string& tensor : tensors) {
    if (!tensor.ends_with(kWeight)) continue;
    const std::string layer = tensor.substr(0, tensor.size() - kWeight.size());
    if (!layers.contains(layer)) names.push_back(layer);
  }
  return names;
}

Declaration declared_by_layers(const Json& content, const std::string& where,
                               const std::vector<std::string>& tensors) {
  const auto layers = content.find("layers");
  if (!content.contains("format_version") || layers == content.end() || !layers->is_object())
    fail(ErrorKind::bad_input, "[quantization] ", where,
         ": expected quant_method, or format_version and layers, got neither");
  for (const auto& [layer, entry] : layers->items()) {
    const auto format = required<std::string>(entry, "format", where + " layer " + layer);
    if (format != "float8_e4m3fn")
      fail(ErrorKind::unsupported, "[quantization] ", where, ": layer ", layer,
           ": expected float8_e4m3fn, got ", describe(Json(format)));
  }
  return {"fp8",
          where,
          {{"quant_method", "fp8"},
           {"activation_scheme", "dynamic"},
           {"ignored_layers", other_layers(tensors, *layers)}}};
}

}  // namespace

std::optional<Declaration> folder_description(const fs::path& folder) {
  const std::vector<std::string> found = descriptions_of(folder);
  if (found.empty()) return std::nullopt;
  const std::string usual = std::string(kDescription) + ".json";
  const bool has_usual = std::find(found.begin(), found.end(), usual) != found.end();
  if (!has_usual && found.size() > 1)
    fail(ErrorKind::bad_input, "[quantization] ", folder.string(), ": expected one ", kDescription,
         "*.json, got ", found.size(), " (", found[0], ", ", found[1], ")");
  const fs::path file = folder / (has_usual ? usual : found[0]);
  return Declaration{"modelslim", file.string(), read_json_file(file)};
}

std::optional<Declaration> config_declaration(const Json& config, const std::string& file) {
  if (!config.is_object()) return std::nullopt;
  const auto place = config.find("quantization_config");
  if (place == config.end() || place->is_null()) return std::nullopt;
  return declared(*place, file + " quantization_config");
}

std::optional<Declaration> metadata_declaration(const std::map<std::string, std::string>& metadata,
                                                const std::vector<std::string>& tensors,
                                                const std::string& file) {
  std::optional<Declaration> found;
  for (const char* key : {"_quantization_metadata", "quantization_config"}) {
    const auto entry = metadata.find(key);
    if (entry == metadata.end()) continue;
    const std::string where = file + " metadata " + key;
    const Json content = parse_json(entry->second, where);
    const Declaration next = content.is_object() && !content.contains("quant_method")
                                 ? declared_by_layers(content, where, tensors)
                                 : declared(content, where);
    if (found && found->method != next.method)
      fail(ErrorKind::bad_input, "[quantization] ", where, ": expected ", found->method, " as ",
           found->where, " says, got ", next.method);
    if (!found) found = next;
  }
  return found;
}

}  // namespace mxdit

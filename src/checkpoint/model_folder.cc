#include "checkpoint/model_folder.h"

#include "checkpoint/fingerprint.h"
#include "core/error.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndexName = "model_index.json";

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool names_a(const std::string& class_name, std::string_view kind) {
  return class_name.find(kind) != std::string::npos;
}

// Name of the configuration file that diffusers writes for a class; empty when there is none.
std::string config_name(const std::string& class_name) {
  if (names_a(class_name, "Tokenizer")) return "";
  if (names_a(class_name, "Scheduler")) return "scheduler_config.json";
  if (names_a(class_name, "Processor")) return "preprocessor_config.json";
  return "config.json";
}

}  // namespace

ModelFolder ModelFolder::open(const fs::path& path,
                              const std::map<std::string, fs::path>& replacements) {
  if (!is_folder(path))
    fail(ErrorKind::not_found, "[checkpoint] ", path.string(),
         ": expected a model folder, got no such folder");
  std::error_code ignored;
  if (!fs::exists(path / kIndexName, ignored))
    fail(ErrorKind::not_found, "[checkpoint] ", path.string(),
         ": expected a diffusers model folder (model_index.json and a folder for each component: "
         "transformer, vae, text_encoder, tokenizer, scheduler), got one without model_index.json");
  ModelFolder folder;
  folder.path_ = path;
  folder.replacements_ = replacements;
  const std::string file = folder.index_file();
  folder.index_ = parse_model_index(read_json_file(file), file);
  for (const auto& [name, replacement] : replacements) {
    if (!folder.has(name))
      fail(ErrorKind::usage, "[checkpoint] ", file, ": expected a component \"", name,
           "\" to replace, got a model without it");
    if (!is_folder(replacement))
      fail(ErrorKind::not_found, "[checkpoint] ", replacement.string(),
           ": expected a folder to replace the component \"", name, "\", got no such folder");
  }
  return folder;
}

bool ModelFolder::has(const std::string& name) const {
  return index_.components.count(name) != 0;
}

fs::path ModelFolder::folder_of(const std::string& name) const {
  const auto replacement = replacements_.find(name);
  const fs::path folder = replacement == replacements_.end() ? path_ / name : replacement->second;
  if (!is_folder(folder))
    fail(ErrorKind::not_found, "[checkpoint] ", folder.string(),
         ": expected the folder of component \"", name,
         "\", which model_index.json lists, got no "
         "such folder");
  return folder;
}

Component ModelFolder::component(const std::string& name) const {
  const auto place = index_.components.find(name);
  if (place == index_.components.end())
    fail(ErrorKind::not_found, "[checkpoint] ", index_file(), ": expected a component \"", name,
         "\", got none");
  Component component{name, folder_of(name), place->second.class_name, nullptr, ""};
  const std::string config = config_name(component.class_name);
  if (config.empty()) return component;
  component.config_file = (component.folder / config).string();
  component.config = read_json_file(component.config_file);
  if (!component.config.is_object())
    fail(ErrorKind::bad_input, "[checkpoint] ", component.config_file,
         ": expected a JSON object, got ", describe(component.config));
  return component;
}

std::string ModelFolder::fingerprint(const std::map<std::string, fs::path>& weights) const {
  Fingerprint fingerprint;
  fingerprint.add_file(kIndexName, path_ / kIndexName);
  for (const auto& [name, ignored] : index_.components)
    fingerprint.add_folder(name, folder_of(name));
  for (const auto& [name, path] : weights) {
    if (is_folder(path))
      fingerprint.add_folder(name + ":weights", path);
    else
      fingerprint.add_file(name + ":weights", path);
  }
  return fingerprint.hex_digest();
}

}  // namespace mxdit

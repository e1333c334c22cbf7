#include "config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app_error.h"

namespace mxdit::cli {
namespace {

constexpr int kDeepest = 16;

class Collector {
 public:
  Collector(std::string file, std::string command) : command_(std::move(command)) {
    config_.file = std::move(file);
  }
  Config take() { return std::move(config_); }

  [[noreturn]] void refuse(const std::string& key, const std::string& got) const {
    fail(ErrorKind::usage, config_.file, ": key ", shown_text(key),
         ": expected text, a number, true, false or a list of these, got ", got);
  }
  void add(const std::string& key, std::vector<std::string> values) {
    std::string flag = key;
    if (flag.rfind(command_ + ".", 0) == 0) flag.erase(0, command_.size() + 1);
    std::replace(flag.begin(), flag.end(), '.', '-');
    std::replace(flag.begin(), flag.end(), '_', '-');
    config_.entries.push_back({key, flag, std::move(values)});
  }
  std::string join(const std::string& prefix, const std::string& key, int depth) const {
    if (depth > kDeepest) refuse(prefix, "too deep a nesting");
    return prefix.empty() ? key : prefix + "." + key;
  }

 private:
  std::string command_;
  Config config_;
};

std::string json_scalar(const nlohmann::json& value, const std::string& key, const Collector& out) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return value.dump();
  out.refuse(key, value.type_name());
}

void collect(const nlohmann::json& node, const std::string& prefix, int depth, Collector* out) {
  for (const auto& [name, value] : node.items()) {
    const std::string key = out->join(prefix, name, depth);
    if (value.is_object()) {
      collect(value, key, depth + 1, out);
    } else if (value.is_array()) {
      std::vector<std::string> values;
      for (const auto& item : value) values.push_back(json_scalar(item, key, *out));
      out->add(key, std::move(values));
    } else if (!value.is_null()) {
      out->add(key, {json_scalar(value, key, *out)});
    }
  }
}

void collect(const YAML::Node& node, const std::string& prefix, int depth, Collector* out) {
  for (const auto& item : node) {
    if (!item.first.IsScalar()) out->refuse(prefix, "a key that is no text");
    const std::string key = out->join(prefix, item.first.Scalar(), depth);
    const YAML::Node& value = item.second;
    if (value.IsMap()) {
      collect(value, key, depth + 1, out);
    } else if (value.IsSequence()) {
      std::vector<std::string> values;
      for (const auto& entry : value) {
        if (!entry.IsScalar()) out->refuse(key, "a list of lists or mappings");
        values.push_back(entry.Scalar());
      }
      out->add(key, std::move(values));
    } else if (value.IsScalar()) {
      out->add(key, {value.Scalar()});
    }
  }
}

void collect_json(const std::string& file, const std::string& text, Collector* out) {
  nlohmann::json root;
  try {
    root = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::usage, file, ": expected JSON, got: ", error.what());
  }
  if (!root.is_object())
    fail(ErrorKind::usage, file, ": expected an object of flags, got ", root.type_name());
  collect(root, "", 0, out);
}

void collect_yaml(const std::string& file, const std::string& text, Collector* out) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    fail(ErrorKind::usage, file, ": expected YAML, got: ", error.what());
  }
  if (!root.IsMap() && !root.IsNull())
    fail(ErrorKind::usage, file, ": expected a mapping of flags, got something else");
  collect(root, "", 0, out);
}

}  // namespace

Config read_config(const std::string& file, const std::string& command) {
  const std::string extension = std::filesystem::path(file).extension().string();
  const bool is_json = extension == ".json";
  if (!is_json && extension != ".yaml" && extension != ".yml")
    fail(ErrorKind::usage, "--config ", file, ": expected a .json, .yaml or .yml file, got ",
         extension.empty() ? "no extension" : extension);
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file))
    fail(ErrorKind::usage, "--config ", file, ": expected a readable file, got none");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  Collector collector(file, command);
  if (is_json)
    collect_json(file, text, &collector);
  else
    collect_yaml(file, text, &collector);
  return collector.take();
}

}  // namespace mxdit::cli

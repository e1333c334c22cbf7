#include "checkpoint/index_file.h"

#include "core/error.h"

namespace mxdit {
namespace {

// A name that, appended to a folder, is a file or folder directly inside it.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

}  // namespace

std::map<std::string, std::string> read_weight_map(const std::filesystem::path& path) {
  return parse_weight_map(read_json_file(path), path.string());
}

std::map<std::string, std::string> parse_weight_map(const Json& json, const std::string& file) {
  const auto place = json.find("weight_map");  // end() as well when json is no object
  if (place == json.end() || !place->is_object())
    fail(ErrorKind::bad_input, "[checkpoint] ", file, ": expected an object \"weight_map\", got ",
         place == json.end() ? "none" : describe(*place));
  std::map<std::string, std::string> weight_map;
  for (const auto& [tensor, shard] : place->items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>()))
      fail(ErrorKind::bad_input, "[checkpoint] ", file, ": tensor \"", tensor,
           "\": expected the name of a file in the same folder, got ", describe(shard));
    weight_map.emplace(tensor, shard.get_ref<const std::string&>());
  }
  return weight_map;
}

ModelIndex parse_model_index(Json json, const std::string& file) {
  ModelIndex index;
  index.class_name = required<std::string>(json, "_class_name", file);
  for (const auto& [name, value] : json.items()) {
    if (!value.is_array()) continue;
    const bool pair = value.size() == 2;
    if (pair && value[0].is_null() && value[1].is_null()) continue;
    if (!pair || !value[0].is_string() || !value[1].is_string())
      fail(ErrorKind::bad_input, "[checkpoint] ", file, ": component \"", name,
           "\": expected [library, class], got ",
           value.size() > 8 ? describe(value) : value.dump());
    if (!is_plain_name(name))
      fail(ErrorKind::bad_input, "[checkpoint] ", file, ": component \"", name,
           "\": expected the name of a folder, got one that is a path");
    index.components[name] = {value[0].get<std::string>(), value[1].get<std::string>()};
  }
  index.json = std::move(json);
  return index;
}

}  // namespace mxdit

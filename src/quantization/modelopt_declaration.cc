#include "quantization/modelopt_declaration.h"

#include "core/error.h"
#include "quantization/layer_names.h"
#include "quantization/stored_config.h"

namespace mxdit {
namespace {

// The declaration and, where it has one, the object "quantization" inside.
std::vector<const Json*> levels_of(const Json& json, const std::string& file) {
  std::vector<const Json*> levels = {&json};
  if (!json.is_object())
    fail(ErrorKind::bad_input, "[quantization] ", file, ": expected an object, got ",
         describe(json));
  const auto nested = json.find("quantization");
  if (nested == json.end()) return levels;
  if (!nested->is_object())
    fail(ErrorKind::bad_input, "[quantization] ", file, ": quantization: expected an object, got ",
         describe(*nested));
  levels.push_back(&*nested);
  return levels;
}

// Empty when there is none.
std::string declared_algorithm(const std::vector<const Json*>& levels, const std::string& file) {
  std::string algorithm;
  for (const Json* level : levels) {
    const auto found = optional_or<std::string>(*level, "quant_algo", "", file);
    if (!found.empty() && !algorithm.empty() && found != algorithm)
      fail(ErrorKind::bad_input, "[quantization] ", file, ": expected one quant_algo, got ",
           algorithm, " and ", found);
    if (!found.empty()) algorithm = found;
  }
  return algorithm;
}

void check_group_size(const Json& object, int64_t expected, const std::string& file) {
  const auto size = optional_or<int64_t>(object, "group_size", 0, file);
  // Declarations of formats without groups say null, 0 or -1.
  if (size == expected || size == 0 || (size == -1 && expected == 0)) return;
  fail(ErrorKind::unsupported, "[quantization] ", file, ": group_size: expected ",
       expected == 0 ? "none" : std::to_string(expected), ", got ", size);
}

// "config_groups": {"group_0": {"weights": {"group_size": 16}, "input_activations": {...}}}
void check_config_groups(const Json& level, int64_t expected, const std::string& file) {
  const auto groups = level.find("config_groups");
  if (groups == level.end() || !groups->is_object()) return;
  for (const auto& [name, group] : groups->items())
    for (const char* side : {"weights", "input_activations"})
      if (group.is_object() && group.contains(side) && group[side].is_object())
        check_group_size(group[side], expected, file);
}

void append(std::vector<std::string>& names, const Json& level, const char* key,
            const std::string& file) {
  for (auto& name : optional_or<std::vector<std::string>>(level, key, {}, file))
    names.push_back(std::move(name));
}

}  // namespace

bool ModelOptDeclaration::excludes(const std::string& layer) const {
  for (const std::string& pattern : exclude_modules)
    if (matches_stars(pattern, layer)) return true;
  const std::string first = layer.substr(0, layer.find('.'));
  for (const std::string& pattern : ignore)
    if (matches_shell(pattern, layer) || matches_shell(pattern, first)) return true;
  return false;
}

ModelOptDeclaration read_modelopt_declaration(const ConfigArguments& arguments,
                                              const std::string& key, const std::string& algorithm,
                                              int64_t group_size) {
  const std::string& file = arguments.declared_in;
  const auto levels = levels_of(required_declaration(arguments, key), file);
  ModelOptDeclaration declaration;
  declaration.algorithm = declared_algorithm(levels, file);
  if (!declaration.algorithm.empty() && declaration.algorithm != algorithm)
    fail(ErrorKind::bad_input, "[quantization] ", file, ": quant_algo: expected ", algorithm,
         " for ", key, ", got ", declaration.algorithm);
  for (const Json* level : levels) {
    check_group_size(*level, group_size, file);
    check_config_groups(*level, group_size, file);
    append(declaration.exclude_modules, *level, "exclude_modules", file);
    append(declaration.ignore, *level, "ignore", file);
  }
  return declaration;
}

std::string modelopt_algorithm(const ConfigArguments& arguments, const std::string& key) {
  const std::string& file = arguments.declared_in;
  const std::string algorithm =
      declared_algorithm(levels_of(required_declaration(arguments, key), file), file);
  if (algorithm.empty())
    fail(ErrorKind::bad_input, "[quantization] ", file,
         ": quant_algo: expected FP8 or NVFP4, got "
         "none");
  return algorithm;
}

}  // namespace mxdit

#include "quantization/methods/modelslim/description.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace mxdit::modelslim {
namespace {

// A value that stands for "nothing is quantized".
bool is_nothing(const Json& value) {
  return value.is_null() || value == "" || value == "FLOAT" || value == false;
}

class Parser {
 public:
  explicit Parser(const std::string& file) { result_.file = file; }

  Description parse(const Json& json) {
    if (!json.is_object())
      fail(ErrorKind::bad_input, "[quantization] ", result_.file,
           ": expected an object of tensor names and types, got ", describe(json));
    for (const auto& [key, value] : json.items())
      if (!read_setting(json, key, value)) read_type(key, value);
    return std::move(result_);
  }

 private:
  std::string where(const std::string& key) const {
    return "[quantization] " + result_.file + ": " + key;
  }
  void check(const std::string& key, const Json& value, bool right, const char* expected) const {
    if (!right)
      fail(ErrorKind::bad_input, where(key), ": expected ", expected, ", got ", describe(value));
  }

  // False for a key that is no setting.
  bool read_setting(const Json& json, const std::string& key, const Json& value) {
    if (key == "version" || key == "model_quant_type" || key == "quant_method") {
      check(key, value, value.is_string(), "a string");
    } else if (key == "group_size") {
      check(key, value, value.is_number_integer(), "an integer");
    } else if (key == "metadata" || key == "optional" || key == "packed_modules_mapping") {
      check(key, value, value.is_object() || value.is_null(), "an object");
    } else if (key == "fa_quant_type" || key == "kv_quant_type" || key == "kv_cache_type") {
      if (!is_nothing(value))
        fail(ErrorKind::unsupported, where(key), ": expected FLOAT (attention is not quantized), got ",
             describe(value));
    } else if (key == "mxfp4_scale_alg") {
      result_.mxfp4_scale_alg = required<int64_t>(json, key, result_.file);
    } else if (key == "mxfp4_dst_type_max") {
      result_.mxfp4_dst_type_max = required<double>(json, key, result_.file);
    } else if (key == "ignore") {
      for (const std::string& text :
           optional_or<std::vector<std::string>>(json, key, {}, result_.file))
        result_.ignore.emplace_back(text, where(key));
    } else if (key == "timestep_policy") {
      read_policies(value);
    } else {
      return false;
    }
    return true;
  }

  void read_type(const std::string& key, const Json& value) {
    check("\"" + key + "\"", value, value.is_string(), "the type of a tensor");
    result_.types.emplace(key, value.get<std::string>());
  }

  void read_policies(const Json& value) {
    check("timestep_policy", value, value.is_object(), "an object");
    for (const auto& [name, policy] : value.items()) {
      const std::string key = "timestep_policy." + name;
      check(key, policy, policy.is_object(), "an object of steps and precisions");
      if (name == "w4a4_linear") {
        result_.policy = linear_policy(key, policy);
      } else if (name == "fa") {
        check_attention_policy(key, policy);
      } else {
        fail(ErrorKind::unsupported, where(key), ": expected w4a4_linear or fa, got ", name);
      }
    }
  }

  TimestepPolicy linear_policy(const std::string& key, const Json& json) const {
    TimestepPolicy policy;
    for (const auto& [step, value] : json.items()) {
      const auto precision = precision_of(key + "." + step, value);
      if (step == "default")
        policy.standard = precision;
      else
        policy.steps[step_number(key, step)] = precision;
    }
    return policy;
  }

  TimestepPolicy::Precision precision_of(const std::string& key, const Json& value) const {
    if (value == "W4A4") return TimestepPolicy::Precision::w4a4;
    if (value == "W4A8") return TimestepPolicy::Precision::w4a8;
    fail(ErrorKind::unsupported, where(key), ": expected W4A4 or W4A8, got ", describe(value));
  }

  int64_t step_number(const std::string& key, const std::string& text) const {
    int64_t step = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    // One spelling of a number only, so that no step can be given twice.
    if (error != std::errc() || end != text.data() + text.size() || std::to_string(step) != text ||
        step < 0)
      fail(ErrorKind::bad_input, where(key), ": expected steps (0, 1, ...) and \"default\", got ",
           describe(Json(text)));
    return step;
  }

  void check_attention_policy(const std::string& key, const Json& json) const {
    for (const auto& [step, value] : json.items()) {
      if (step != "default") step_number(key, step);
      if (value != "FLOAT")
        fail(ErrorKind::unsupported, where(key + "." + step),
             ": expected FLOAT (attention is not quantized), got ", describe(value));
    }
  }

  Description result_;
};

}  // namespace

TimestepPolicy::Precision TimestepPolicy::at(int64_t step) const {
  const auto place = steps.find(step);
  return place == steps.end() ? standard : place->second;
}

const std::string* Description::type_of(const std::string& tensor) const {
  const auto place = types.find(tensor);
  return place == types.end() ? nullptr : &place->second;
}

std::vector<std::string> Description::parts_of(const std::string& layer) const {
  const std::string begin = layer + ".";
  std::vector<std::string> parts;
  for (auto it = types.lower_bound(begin); it != types.end(); ++it) {
    if (it->first.compare(0, begin.size(), begin) != 0) break;
    parts.push_back(it->first.substr(begin.size()));
  }
  return parts;
}

bool Description::ignores(const std::string& layer) const {
  return std::any_of(ignore.begin(), ignore.end(),
                     [&](const LayerPattern& pattern) { return pattern.matches(layer); });
}

Description parse_description(const Json& json, const std::string& file) {
  return Parser(file).parse(json);
}

}  // namespace mxdit::modelslim

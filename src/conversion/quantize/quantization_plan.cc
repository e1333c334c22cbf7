#include "conversion/quantize/quantization_plan.h"

#include <algorithm>
#include <map>

#include "conversion/repack/layer_tensors.h"
#include "conversion/repack/tensor_checks.h"
#include "conversion/repack/wan_names.h"
#include "core/error.h"
#include "models/wan_dit/tensor_names.h"

namespace mxdit::conversion {

namespace {

bool is_plain(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

void refuse_quantized(const WeightStore& weights) {
  for (const std::string& name : weights.names()) {
    const DType dtype = weights.place_of(name).dtype;
    if (is_plain(dtype) && !is_quantization_tensor(last_segment(name))) continue;
    fail(ErrorKind::bad_input, "[conversion] ", weights.file_of(name).string(), ": tensor \"", name,
         "\": expected a plain checkpoint of F32, F16 and BF16 tensors, got ", mxdit::name(dtype),
         dtype == DType::f64 ? "" : ": it is quantized already");
  }
}

void check_complete(const WeightStore& weights, const wan_dit::Config& config) {
  NamedCheckpoint checkpoint;
  checkpoint.folder = weights.path().string();
  checkpoint.direction = Direction::to_original;  // messages name tensors as they are here
  for (const std::string& name : weights.names()) {
    const TensorPlace place = weights.place_of(name);
    checkpoint.tensors[name] = {name, place.file.string(), place.dtype, place.shape};
    checkpoint.types[name] = kFloat.name;
  }
  check_tensors(checkpoint, wan_dit::tensors_of(config));
}

void check_rule(const std::vector<LayerChoice>& layers, const WeightRule& rule) {
  for (const LayerChoice& choice : layers) {
    if (choice.type->format == nullptr || rule.serves(*choice.type->format)) continue;
    std::string served;
    for (const WeightType* type : weight_types())
      if (rule.serves(*type->format))
        served += (served.empty() ? "" : ", ") + std::string(type->name);
    fail(ErrorKind::unsupported, "[conversion] layer ", choice.layer.name,
         ": expected a type that ", "--rule ", rule.name, " encodes (", served, "), got ",
         choice.type->name,
         choice.reason.empty()
             ? ""
             : " (" + choice.reason + " for " + std::string(choice.wanted->name) + ")",
         "; --type, --mxfp8-blocks and --keep choose others");
  }
}

// One line for all layers that a width changed alike.
void warn_about_widths(QuantizationPlan& plan) {
  std::map<std::string, std::pair<int64_t, std::string>> changed;  // text -> count, first layer
  for (const LayerChoice& choice : plan.layers) {
    if (!choice.unfit) continue;
    auto& entry = changed[detail::concat(choice.type->name, " instead of ", choice.wanted->name,
                                         ", since ", choice.reason)];
    if (entry.first++ == 0) entry.second = choice.layer.name;
  }
  for (const auto& [text, entry] : changed)
    plan.warnings.push_back(
        detail::concat(entry.first, " layers are ", text, "; the first is ", entry.second));
}

class Planner {
 public:
  Planner(const WeightStore& weights, const OutputForm& form, QuantizationPlan& plan)
      : weights_(weights), form_(form), plan_(plan) {
    for (size_t i = 0; i < plan.layers.size(); ++i)
      if (plan.layers[i].type->format != nullptr) layers_[plan.layers[i].layer.name] = i;
  }

  void run() {
    for (const std::string& name : weights_.names()) {
      const auto layer = layers_.find(layer_of(name));
      if (layer == layers_.end())
        add_plain(name);
      else if (last_segment(name) == "weight")  // brings all tensors of its layer
        add_layer(layer->first, layer->second);
    }
  }

 private:
  std::string target(const std::string& name) const {
    return form_.original_names ? to_original_name(name) : name;
  }
  void add_plain(const std::string& name) {
    const TensorPlace place = weights_.place_of(name);
    plan_.tensors.push_back({target(name), place, place.dtype, place.shape, place.bytes,
                             OutputTensor::kNoLayer, LayerPart::bias});
  }
  void add_layer(const std::string& name, size_t index) {
    const LayerChoice& choice = plan_.layers[index];
    for (const StoredPart& part : stored_parts(*choice.type, choice.layer.out_features,
                                               choice.layer.in_features, form_.container)) {
      const bool is_bias = part.part == LayerPart::bias;
      const TensorPlace place = weights_.place_of(name + (is_bias ? ".bias" : ".weight"));
      const bool counts = is_bias || part.name == "weight";
      plan_.tensors.push_back({target(name + "." + std::string(part.name)), place, part.dtype,
                               part.shape, counts ? place.bytes : 0, index, part.part});
    }
  }

  const WeightStore& weights_;
  const OutputForm& form_;
  QuantizationPlan& plan_;
  std::map<std::string, size_t> layers_;  // of those that are quantized
};

// The type that the file as a whole is said to have: the one asked for, or the default recipe's
// last.
std::string_view overall_type(const Recipe& recipe) {
  return recipe.type != nullptr ? recipe.type->name : kW4A4Mxfp4Dualscale.name;
}

std::string describe_types(const QuantizationPlan& plan, const Recipe& recipe,
                           const WeightRule& rule) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  json["model_quant_type"] = overall_type(recipe);
  json["version"] = "1.0.0";
  const WeightType& type = recipe.type != nullptr ? *recipe.type : kW4A4Mxfp4Dualscale;
  json["group_size"] = type.format->block;  // 0: a scale per row
  json["metadata"] = {{"producer", "mxdit"}, {"rule", rule.name}};
  // operator[] of an ordered object searches all keys, which is slow for thousands.
  auto& members = json.get_ref<nlohmann::ordered_json::object_t&>();
  for (const OutputTensor& tensor : plan.tensors) {
    const WeightType& stored =
        tensor.layer == OutputTensor::kNoLayer ? kFloat : *plan.layers[tensor.layer].type;
    members.push_back({tensor.target, stored.name});
  }
  return json.dump(2) + "\n";
}

}  // namespace

QuantizationPlan plan_quantization(const WeightStore& weights, const wan_dit::Config& config,
                                   const Recipe& recipe, const WeightRule& rule,
                                   const OutputForm& form) {
  refuse_quantized(weights);
  check_complete(weights, config);
  QuantizationPlan plan;
  plan.layers = choose_types(config, recipe);
  check_rule(plan.layers, rule);
  Planner(weights, form, plan).run();
  plan.description = describe_types(plan, recipe, rule);
  warn_about_widths(plan);
  return plan;
}

}  // namespace mxdit::conversion

#include "quantization/methods/modelslim/config.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "quantization/methods/modelslim/description.h"
#include "quantization/methods/modelslim/scheme.h"

namespace mxdit {
namespace modelslim {
namespace {

constexpr std::string_view kWeight = ".weight";

struct Type {
  const char* name;
  MakeScheme make;
  std::initializer_list<DType> stored;  // what weights of the type are stored as
};

constexpr std::initializer_list<DType> kFloat = {DType::f32, DType::f16, DType::bf16, DType::f64};
constexpr std::initializer_list<DType> kInteger = {DType::i8};
constexpr std::initializer_list<DType> kE4m3Only = {DType::f8_e4m3};
constexpr std::initializer_list<DType> kE2m1Forms = {DType::f8_e4m3, DType::u8};

// One line per type.
constexpr Type kTypes[] = {
    {"FLOAT", make_float, kFloat},
    {"W8A8", make_int8_static, kInteger},
    {"W8A8_DYNAMIC", make_int8_dynamic, kInteger},
    {"W4A4_DYNAMIC", make_int4_dynamic, kInteger},
    {"W8A8_MXFP8", make_mxfp8, kE4m3Only},
    {"W4A4_MXFP4", make_mxfp4, kE2m1Forms},
    {"W4A4_MXFP4_DUALSCALE", make_mxfp4, kE2m1Forms},
};

const Type* find_type(const std::string& name) {
  const auto* place = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const Type& type) { return name == type.name; });
  return place == std::end(kTypes) ? nullptr : place;
}

template <typename List, typename Text>
std::string joined(const List& list, const char* between, Text text) {
  std::string result;
  for (const auto& item : list) result += (result.empty() ? "" : between) + std::string(text(item));
  return result;
}

std::string known_types() {
  return joined(kTypes, ", ", [](const Type& type) { return type.name; });
}

std::string layer_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

// Wan's own names, before they are converted to those of diffusers.
bool has_original_name(const std::string& tensor) {
  return tensor.find(".self_attn.") != std::string::npos ||
         tensor.find(".cross_attn.") != std::string::npos || tensor.rfind("head.head.", 0) == 0;
}

class Config final : public QuantConfig {
 public:
  explicit Config(const ConfigArguments& arguments)
      : description_(std::make_shared<const Description>(
            parse_description(*arguments.declaration, arguments.declared_in))) {
    for (const auto& [tensor, type] : description_->types) check_type(tensor, type);
    check_names();
    if (arguments.weights != nullptr)
      for (const auto& [tensor, type] : description_->types)
        check_weight(*arguments.weights, tensor, type);
    for (const Type& type : kTypes)
      schemes_.emplace(type.name, type.make({type.name, description_, arguments.clock}));
  }

  std::string name() const override { return "modelslim"; }

  LinearPlan plan(const std::string& layer, int64_t /*out_features*/,
                  int64_t /*in_features*/) const override {
    if (description_->ignores(layer))
      return {schemes_.at("FLOAT"), description_->file + " ignores the layer"};
    const std::string* type = description_->type_of(layer + std::string(kWeight));
    if (type == nullptr)
      fail(ErrorKind::bad_input, "[quantization] ", description_->file, ": layer ", layer,
           ": expected a type for \"", layer, kWeight, "\", got none");
    return {schemes_.at(*type), description_->file + " says " + *type};
  }

 private:
  void check_type(const std::string& tensor, const std::string& type) const {
    if (find_type(type) == nullptr)
      fail(ErrorKind::unsupported, "[quantization] ", description_->file, ": layer ",
           layer_of(tensor), ", entry \"", tensor, "\": expected one of ", known_types(), ", got ",
           describe(Json(type)));
  }

  void check_names() const {
    for (const auto& [tensor, type] : description_->types)
      if (type != "FLOAT" && has_original_name(tensor))
        fail(ErrorKind::bad_input, "[quantization] ", description_->file, ": entry \"", tensor,
             "\": expected the names of diffusers (blocks.0.attn1.to_q.weight), got those of the ",
             "original Wan checkpoint; `mxdit repack` converts it");
  }

  void check_weight(const WeightStore& weights, const std::string& tensor,
                    const std::string& name) const {
    if (!tensor.ends_with(kWeight) || description_->ignores(layer_of(tensor))) return;
    if (!weights.contains(tensor)) {
      if (name == "FLOAT") return;  // the layer that needs it will miss it
      fail(ErrorKind::not_found, "[quantization] ", weights.path().string(), " tensor ", tensor,
           ": expected one, as ", description_->file, " says ", name, ", got none");
    }
    const DType got = weights.place_of(tensor).dtype;
    const Type& type = *find_type(name);
    if (std::find(type.stored.begin(), type.stored.end(), got) != type.stored.end()) return;
    fail(ErrorKind::bad_input, "[quantization] ", weights.file_of(tensor).string(), " tensor ",
         tensor, ": expected ",
         joined(type.stored, " or ", [](DType dtype) { return mxdit::name(dtype); }), ", as ",
         description_->file, " says ", name, ", got ", mxdit::name(got));
  }

  std::shared_ptr<const Description> description_;
  std::map<std::string, std::shared_ptr<const LinearMethod>> schemes_;
};

}  // namespace

std::unique_ptr<QuantConfig> make_config(const ConfigArguments& arguments) {
  if (arguments.declaration == nullptr)
    fail(ErrorKind::usage, "[quantization] --quantization modelslim: expected a checkpoint with ",
         "quant_model_description.json, got none: this key reads quantized checkpoints and cannot ",
         "quantize");
  if (!arguments.ignored_layers.empty())
    fail(ErrorKind::usage, "[quantization] --quantization-ignored-layers: expected none, since ",
         arguments.declared_in, " says how every layer is stored, got ",
         arguments.ignored_layers.front());
  return std::make_unique<Config>(arguments);
}

}  // namespace modelslim

const QuantizationKey kModelslimKey = {
    "modelslim",
    "what msmodelslim stored, layer by layer: MXFP4 (one or two levels), MXFP8, int8, int4",
    false, true, "cpu, ascend", modelslim::make_config};

}  // namespace mxdit

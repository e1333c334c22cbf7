#include "e2e/quality_modes.h"

#include "mxdit/quantize.h"

namespace mxdit {
namespace {

QualityMode online(const std::string& key) {
  return {"`" + key + "`", [key](const std::string& model, const std::filesystem::path&) {
            EngineOptions options;
            options.model_path = model;
            options.quantization = key;
            return options;
          }};
}

QualityMode plain(const std::string& dtype) {
  return {dtype, [dtype](const std::string& model, const std::filesystem::path&) {
            EngineOptions options;
            options.model_path = model;
            options.dtype = dtype;
            return options;
          }};
}

// A checkpoint of one type, or of the default recipe.
QualityMode stored(const std::string& name, const std::string& type, bool container,
                   const std::string& rule = "operator") {
  return {name, [=](const std::string& model, const std::filesystem::path& work) {
            QuantizeModelOptions made;
            made.model_path = model;
            made.output_path = (work / ("model" + std::to_string(std::hash<std::string>{}(name))));
            made.type = type;
            made.container = container;
            made.rule = rule;
            made.proj_out = !type.empty();
            quantize_model(made, {}, nullptr);
            EngineOptions options;
            options.model_path = made.output_path;
            return options;
          }};
}

}  // namespace

std::vector<QualityMode> quality_modes() {
  return {plain("bf16"),
          plain("fp32"),
          online("fp8"),
          online("mxfp8"),
          online("mxfp4"),
          online("mxfp4_npu"),
          stored("modelslim, default recipe, packed", "", false),
          stored("modelslim, default recipe, container", "", true),
          stored("modelslim W8A8_MXFP8", "W8A8_MXFP8", false),
          stored("modelslim W4A4_MXFP4, packed", "W4A4_MXFP4", false),
          stored("modelslim W4A4_MXFP4, container", "W4A4_MXFP4", true),
          stored("modelslim W4A4_MXFP4_DUALSCALE, packed", "W4A4_MXFP4_DUALSCALE", false),
          stored("modelslim W4A4_MXFP4_DUALSCALE, container", "W4A4_MXFP4_DUALSCALE", true),
          stored("modelslim W4A4_MXFP4_DUALSCALE, min-max rule", "W4A4_MXFP4_DUALSCALE", false,
                 "minmax"),
          stored("modelslim W8A8_DYNAMIC", "W8A8_DYNAMIC", false),
          stored("modelslim W4A4_DYNAMIC", "W4A4_DYNAMIC", false)};
}

std::vector<QualityMode> attention_modes() {
  return {plain("bf16"), {"bf16, int8 scores", [](const std::string& model, const auto&) {
                            EngineOptions options;
                            options.model_path = model;
                            options.attention_precision = "int8";
                            return options;
                          }}};
}

}  // namespace mxdit

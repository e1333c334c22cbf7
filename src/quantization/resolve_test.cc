#include "quantization/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "quantization/quantized_tensors.h"

namespace mxdit {
namespace {

using ::testing::ElementsAre;

constexpr const char* kDescription = "transformer/quant_model_description.json";

Tensor zeros(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::host(dtype, shape);
  std::fill_n(static_cast<char*>(tensor.mutable_data()), tensor.bytes(), '\0');
  return tensor;
}

// A component folder `transformer`, and a folder `other` of weights in place of its own.
class Resolving : public ::testing::Test {
 protected:
  using Tensors = std::map<std::string, Tensor>;

  static Tensors plain() { return {{"a.weight", zeros(DType::bf16, {4, 64})}}; }
  static Tensors int8() {
    return {{"a.weight", zeros(DType::i8, {4, 64})}, {"a.weight_scale", zeros(DType::f32, {4, 1})}};
  }

  void write(const Tensors& tensors, const std::map<std::string, std::string>& metadata = {}) {
    folder_.write("transformer/config.json", "{}");
    write_safetensors(folder_ / "transformer/w.safetensors", tensors, metadata);
    weights_.emplace(WeightStore::open(folder_ / "transformer/w.safetensors"));
  }
  void write_other(const Tensors& tensors, const std::map<std::string, std::string>& metadata = {}) {
    folder_.write("other/README", "");
    write_safetensors(folder_ / "other/w.safetensors", tensors, metadata);
    weights_.emplace(WeightStore::open(folder_ / "other/w.safetensors"));
    weights_path_ = folder_ / "other";
  }
  void describe_as(const std::string& type, const std::string& file = kDescription) {
    folder_.write(file, R"({"a.weight": ")" + type + R"(", "a.weight_scale": ")" + type + "\"}");
  }

  ResolvedQuantization resolve() {
    const std::filesystem::path part = folder_ / "transformer";
    const Json config = config_;
    return resolve_quantization(request_, {"transformer", part, &config, "config.json", &*weights_,
                                           weights_path_, nullptr});
  }
  std::string shortened(std::string text) const {
    const std::string path = folder_.path().string() + "/";
    for (size_t at = text.find(path); at != std::string::npos; at = text.find(path))
      text.erase(at, path.size());
    return text;
  }
  // What decided and the method's name, or the message with its exit status.
  std::string outcome() {
    try {
      const ResolvedQuantization resolved = resolve();
      return shortened(resolved.source + " -> " + resolved.config->name());
    } catch (const Error& error) {
      return shortened(std::to_string(exit_status(error.kind())) + " " + error.what());
    }
  }

  TemporaryFolder folder_;
  std::optional<WeightStore> weights_;
  std::filesystem::path weights_path_;
  QuantizationRequest request_;
  Json config_ = Json::object();
};

TEST_F(Resolving, PlainWhenNothingSaysOtherwise) {
  write(plain());
  EXPECT_EQ(outcome(), "nothing declares any -> plain");
  std::vector<std::string> considered = resolve().considered;
  for (std::string& line : considered) line = shortened(line);
  EXPECT_THAT(considered,
              ElementsAre("--quantization: not given",
                          "transformer/quant_model_description*.json: nothing",
                          "config.json quantization_config: nothing",
                          "transformer/w.safetensors metadata: nothing",
                          "tensors: none is quantized"));
  config_["quantization_config"] = nullptr;
  EXPECT_EQ(outcome(), "nothing declares any -> plain");
}

TEST_F(Resolving, AFlagQuantizesPlainWeights) {
  write(plain());
  request_.key = "mxfp4_npu";
  EXPECT_EQ(outcome(), "--quantization mxfp4_npu -> mxfp4_npu");
}

TEST_F(Resolving, ADescriptionNeedsNoFlag) {
  write(int8());
  describe_as("W8A8_DYNAMIC");
  EXPECT_EQ(outcome(), std::string(kDescription) + " -> modelslim");
  request_.key = "modelslim";
  EXPECT_EQ(outcome(), "--quantization modelslim, " + std::string(kDescription) + " -> modelslim");
  // It wins over config.json, which may name it too.
  config_["quantization_config"] = {{"quant_method", "modelslim"}};
  EXPECT_EQ(outcome(), "--quantization modelslim, " + std::string(kDescription) + " -> modelslim");
  request_.key.clear();
  EXPECT_EQ(outcome(), std::string(kDescription) + " -> modelslim");
}

TEST_F(Resolving, ADescriptionMayHaveALongerName) {
  write(int8());
  describe_as("W8A8_DYNAMIC", "transformer/quant_model_description_w8a8.json");
  EXPECT_EQ(outcome(), "transformer/quant_model_description_w8a8.json -> modelslim");
  describe_as("W8A8_DYNAMIC", "transformer/quant_model_description_other.json");
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: expected one quant_model_description*.json, got 2 "
            "(quant_model_description_other.json, quant_model_description_w8a8.json)");
  describe_as("W8A8_DYNAMIC");
  EXPECT_EQ(outcome(), std::string(kDescription) + " -> modelslim");
}

TEST_F(Resolving, ConfigMayHoldTheTypes) {
  write(int8());
  config_["quantization_config"] = {{"quant_method", "modelslim"},
                                    {"a.weight", "W8A8_DYNAMIC"},
                                    {"a.weight_scale", "W8A8_DYNAMIC"}};
  EXPECT_EQ(outcome(), "config.json quantization_config -> modelslim");
  describe_as("W8A8");
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: config.json quantization_config: entry \"a.weight\": "
            "expected W8A8 as " + std::string(kDescription) + " says, got W8A8_DYNAMIC");
}

TEST_F(Resolving, ModelslimNeedsADescription) {
  write(plain());
  request_.key = "modelslim";
  EXPECT_EQ(outcome(),
            "4 [quantization] transformer: --quantization modelslim: expected "
            "quant_model_description.json in transformer, got no such file");
}

TEST_F(Resolving, FlagsThatContradictTheCheckpoint) {
  write(int8());
  request_.key = "mxfp4_npu";
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: --quantization mxfp4_npu: expected plain weights to "
            "quantize, got transformer/w.safetensors tensor a.weight in I8, which are quantized "
            "already");
  describe_as("W8A8_DYNAMIC");
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: --quantization mxfp4_npu: expected a checkpoint that is "
            "not quantized, got modelslim as " + std::string(kDescription) + " says");
  std::filesystem::remove(folder_ / kDescription);
  config_["quantization_config"] = {{"quant_method", "fp8"}};
  request_.key = "modelslim";
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: --quantization modelslim: expected a checkpoint that "
            "declares modelslim, got fp8 as config.json quantization_config says");
  request_.key = "nonsense";
  EXPECT_THAT(outcome(), ::testing::StartsWith("5 [quantization] --quantization: expected one of "));
}

TEST_F(Resolving, DeclarationsThatContradictEachOther) {
  write(int8());
  describe_as("W8A8_DYNAMIC");
  config_["quantization_config"] = {{"quant_method", "fp8"}};
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: config.json quantization_config: expected modelslim as " +
                std::string(kDescription) + " says, got fp8");
}

TEST_F(Resolving, ConfigThatCannotBeRead) {
  write(plain());
  config_["quantization_config"] = "fp8";
  EXPECT_EQ(outcome(),
            "3 [quantization] config.json quantization_config: expected an object, got \"fp8\"");
  config_["quantization_config"] = Json::object();
  EXPECT_EQ(outcome(),
            "3 [io] config.json quantization_config: key \"quant_method\": expected a value, got "
            "none");
  config_["quantization_config"] = {{"quant_method", "awq"}};
  EXPECT_THAT(outcome(), ::testing::StartsWith("5 [quantization] config.json quantization_config "
                                               "quant_method: expected one of "));
}

TEST_F(Resolving, UndeclaredTensors) {
  write(int8());
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: quantized tensors (transformer/w.safetensors tensor "
            "a.weight in I8): expected a declaration of their type in quant_model_description.json "
            "or config.json's quantization_config, got none");
  write({{"a.weight", zeros(DType::f8_e4m3, {4, 64})},
         {"a.weight_scale", zeros(DType::f32, {1})}});
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: quantized tensors (transformer/w.safetensors tensor "
            "a.weight_scale in F32): expected a declaration of their type in "
            "quant_model_description.json or config.json's quantization_config, got none");
  // A cast of plain weights.
  write({{"a.weight", zeros(DType::f8_e4m3, {4, 64})}});
  EXPECT_EQ(outcome(), "nothing declares any -> plain");
}

TEST_F(Resolving, TypesThatTheTensorsContradict) {
  write(plain());
  folder_.write(kDescription, R"({"a.weight": "W8A8"})");
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer/w.safetensors tensor a.weight: expected I8, as " +
                std::string(kDescription) + " says W8A8, got BF16");
}

TEST_F(Resolving, IgnoredLayersNeedAMethod) {
  write(plain());
  request_.ignored_layers = {"a"};
  EXPECT_EQ(outcome(),
            "2 [quantization] --quantization-ignored-layers: expected it with --quantization, got a "
            "checkpoint that is not quantized");
}

TEST_F(Resolving, ReplacedWeightsBringTheirOwnDescription) {
  write(plain());
  write_other(int8());
  EXPECT_THAT(outcome(), ::testing::HasSubstr("expected a declaration of their type"));
  describe_as("W8A8_DYNAMIC", "other/quant_model_description.json");
  EXPECT_EQ(outcome(), "other/quant_model_description.json -> modelslim");
  request_.key = "modelslim";
  EXPECT_EQ(outcome(),
            "--quantization modelslim, other/quant_model_description.json -> modelslim");
  request_.key.clear();
  // The base's description would hold for them as well.
  describe_as("W8A8_DYNAMIC");
  EXPECT_EQ(outcome(), std::string(kDescription) + " -> modelslim");
  describe_as("W8A8");
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: other/quant_model_description.json: entry \"a.weight\": "
            "expected W8A8 as " + std::string(kDescription) + " says, got W8A8_DYNAMIC");
  folder_.write(kDescription, R"({"a.weight": "W8A8_DYNAMIC"})");
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer: other/quant_model_description.json: entry "
            "\"a.weight_scale\": expected none as " + std::string(kDescription) +
                " says, got W8A8_DYNAMIC");
}

TEST_F(Resolving, ReplacedWeightsBringTheirOwnConfig) {
  write(plain());
  write_other(int8());
  folder_.write("other/config.json",
                R"({"quantization_config": {"quant_method": "modelslim", "a.weight": "W8A8_DYNAMIC"}})");
  EXPECT_EQ(outcome(), "other/config.json quantization_config -> modelslim");
}

TEST_F(Resolving, HeadersMayDeclare) {
  write(int8(), {{"quantization_config", R"({"quant_method": "modelslim", "a.weight": "W8A8"})"}});
  EXPECT_EQ(outcome(), "transformer/w.safetensors metadata quantization_config -> modelslim");
  describe_as("W8A8_DYNAMIC");
  EXPECT_THAT(outcome(), ::testing::HasSubstr("metadata quantization_config: entry \"a.weight\""));
  std::filesystem::remove(folder_ / kDescription);
  write(int8(), {{"quantization_config", "{"}});
  EXPECT_THAT(outcome(), ::testing::HasSubstr("w.safetensors metadata quantization_config"));
  write(int8(), {{"_quantization_metadata", R"({"layers": {}})"}});
  EXPECT_EQ(outcome(),
            "3 [quantization] transformer/w.safetensors metadata _quantization_metadata: expected "
            "quant_method, or format_version and layers, got neither");
  write(int8(), {{"_quantization_metadata",
                  R"({"format_version": "1.0", "layers": {"a": {"format": "nvfp4"}}})"}});
  EXPECT_EQ(outcome(),
            "5 [quantization] transformer/w.safetensors metadata _quantization_metadata: layer a: "
            "expected float8_e4m3fn, got \"nvfp4\"");
}

TEST_F(Resolving, UnreadTensorsMayNotBeQuantized) {
  write({{"a.weight", zeros(DType::bf16, {4, 64})}, {"b.scale", zeros(DType::f32, {1})},
         {"n.weight_scale", zeros(DType::f32, {1})}});
  const std::vector<std::string> harmless = {"b.scale"}, scale = {"b.scale", "n.weight_scale"};
  refuse_unread_quantized(*weights_, harmless);
  try {
    refuse_unread_quantized(*weights_, scale);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(shortened(error.what()),
              "[quantization] transformer/w.safetensors tensor n.weight_scale: expected only "
              "quantized tensors that a layer reads, got F32 [1], which none does");
  }
}

}  // namespace
}  // namespace mxdit

#include "conversion/repack/tensor_checks.h"

#include <gtest/gtest.h>

#include "conversion/repack/layer_tensors.h"
#include "io/expect_error.h"

namespace mxdit::conversion {
namespace {

// Two linear layers, a norm, and tensors of an exporter's checkpoint for them.
class TensorChecks : public ::testing::Test {
 protected:
  TensorChecks() {
    checkpoint_.folder = "DIR";
    checkpoint_.description_file = "D.json";
    for (const wan_dit::ModelTensor& tensor : needed_) put(tensor.name, DType::bf16, tensor.shape);
    for (const wan_dit::ModelTensor& tensor : needed_) checkpoint_.types[tensor.name] = "FLOAT";
  }

  void put(const std::string& name, DType dtype, Shape shape) {
    checkpoint_.tensors[name] = {to_original_name(name), "F", dtype, std::move(shape)};
  }
  void remove(const std::string& name) { checkpoint_.tensors.erase(name); }
  // All that the type has, in its first form.
  void quantize(const std::string& layer, const std::string& type) {
    const Shape shape = checkpoint_.tensors.at(layer + ".weight").shape;
    const auto tensors = layer_tensors(type, shape[0], shape[1]).value();
    for (const LayerTensor& tensor : tensors) {
      put(layer + "." + tensor.name, tensor.forms[0].dtypes[0], tensor.forms[0].shape);
      checkpoint_.types[layer + "." + tensor.name] = type;
    }
  }
  std::vector<std::string> check() const { return check_tensors(checkpoint_, needed_); }
  void refuses(ErrorKind kind, const std::string& text) const {
    try {
      check();
      ADD_FAILURE() << "expected: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "[conversion] " + text);
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << text;
    }
  }

  const std::vector<wan_dit::ModelTensor> needed_ = {
      {"blocks.0.attn1.to_q.weight", {64, 1024}, true},
      {"blocks.0.attn1.to_q.bias", {64}, false},
      {"blocks.0.norm2.weight", {64}, false},
      {"proj_out.weight", {16, 64}, true},
      {"proj_out.bias", {16}, false}};
  const std::string layer_ = "blocks.0.attn1.to_q";
  NamedCheckpoint checkpoint_;
};

TEST_F(TensorChecks, AcceptPlainAndEveryKnownType) {
  EXPECT_TRUE(check().empty());
  for (const char* type : {"W8A8_MXFP8", "W4A4_MXFP4", "W4A4_MXFP4_DUALSCALE", "W8A8",
                           "W8A8_DYNAMIC", "W4A4_DYNAMIC"}) {
    SCOPED_TRACE(type);
    const NamedCheckpoint before = checkpoint_;
    quantize(layer_, type);
    EXPECT_TRUE(check().empty());
    checkpoint_ = before;
  }
}

TEST_F(TensorChecks, MissingPlainTensor) {
  remove("blocks.0.norm2.weight");
  refuses(ErrorKind::not_found,
          "DIR: tensor \"blocks.0.norm3.weight\": expected F32, F16 or BF16 [64], got none");
  checkpoint_.direction = Direction::to_original;
  refuses(ErrorKind::not_found,
          "DIR: tensor \"blocks.0.norm2.weight\": expected F32, F16 or BF16 [64], got none");
}

TEST_F(TensorChecks, MissingTensorOfAQuantizedLayer) {
  quantize(layer_, "W4A4_MXFP4_DUALSCALE");
  remove(layer_ + ".weight_dual_scale");
  refuses(ErrorKind::not_found,
          "DIR: tensor \"blocks.0.self_attn.q.linear.weight_dual_scale\": expected F32 [64, 2, 1] "
          "for type W4A4_MXFP4_DUALSCALE, got none");
  remove(layer_ + ".mul_scale");
  refuses(
      ErrorKind::not_found,
      "DIR: tensor \"blocks.0.self_attn.q.weight_dual_scale\": expected F32 [64, 2, 1] for type "
      "W4A4_MXFP4_DUALSCALE, got none");
}

TEST_F(TensorChecks, MissingBias) {
  quantize(layer_, "W8A8_MXFP8");
  remove(layer_ + ".bias");
  refuses(ErrorKind::not_found,
          "DIR: tensor \"blocks.0.self_attn.q.linear.bias\": expected F32, F16 or BF16 [64], got "
          "none");
}

TEST_F(TensorChecks, AStaticIntegerLayerMayHaveOnlyItsQuantizedBias) {
  quantize(layer_, "W8A8");
  remove(layer_ + ".bias");
  EXPECT_TRUE(check().empty());
  remove(layer_ + ".quant_bias");
  remove(layer_ + ".mul_scale");
  refuses(ErrorKind::not_found,
          "DIR: tensor \"blocks.0.self_attn.q.bias\": expected F32, F16 or BF16 [64], got none");
}

TEST_F(TensorChecks, MisshapenTensors) {
  put("blocks.0.norm2.weight", DType::f32, {65});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.norm3.weight\": expected F32, F16 or BF16 [64], got F32 [65]");
  put("blocks.0.norm2.weight", DType::f32, {64});
  quantize(layer_, "W4A4_MXFP4");
  put(layer_ + ".weight_scale", DType::u8, {64, 31});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.self_attn.q.weight_scale\": expected U8 [64, 32] for type "
          "W4A4_MXFP4, got U8 [64, 31]");
}

TEST_F(TensorChecks, MistypedTensors) {
  put(layer_ + ".weight", DType::i8, {64, 1024});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.self_attn.q.weight\": expected F32, F16 or BF16 [64, 1024], got I8 "
          "[64, 1024]");
  quantize(layer_, "W4A4_MXFP4");
  put(layer_ + ".weight", DType::u8, {64, 1024});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.self_attn.q.weight\": expected F8_E4M3 [64, 1024] or U8 [64, 512] "
          "for type W4A4_MXFP4, got U8 [64, 1024]");
  put(layer_ + ".weight", DType::u8, {64, 512});
  EXPECT_TRUE(check().empty());
}

TEST_F(TensorChecks, ExtraTensors) {
  put("blocks.7.norm2.weight", DType::f32, {64});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.7.norm3.weight\": expected a tensor of the model or of a quantized "
          "layer, got F32 [64], which nothing reads");
  remove("blocks.7.norm2.weight");
  put(layer_ + ".extra", DType::f32, {64});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.self_attn.q.extra\": expected a tensor of the model or of a "
          "quantized layer, got F32 [64], which nothing reads");
}

TEST_F(TensorChecks, ExtraTensorOfAQuantizedLayerHasToBeDeclared) {
  quantize(layer_, "W8A8_MXFP8");
  put(layer_ + ".weight_offset", DType::f32, {64, 1});
  refuses(
      ErrorKind::bad_input,
      "F: tensor \"blocks.0.self_attn.q.weight_offset\": expected a tensor of the model or of a "
      "quantized layer, got F32 [64, 1], which nothing reads");
  checkpoint_.types[layer_ + ".weight_offset"] = "W8A8_MXFP8";
  EXPECT_EQ(check(), (std::vector<std::string>{
                         "tensor \"blocks.0.self_attn.q.weight_offset\" is none that type "
                         "W8A8_MXFP8 is known to have; it is kept"}));
}

TEST_F(TensorChecks, RotationsAndUnreadNormsAreKept) {
  put("blocks.0.attn1.q_rot", DType::f32, {32, 32});
  put("blocks.0.attn1.k_rot", DType::f32, {32, 32});
  put("blocks.0.attn2.norm_added_q.weight", DType::f32, {64});
  checkpoint_.types["blocks.0.attn2.norm_added_q.weight"] = "FLOAT";
  EXPECT_TRUE(check().empty());
  put("blocks.1.attn1.q_rot", DType::f32, {32, 32});
  refuses(
      ErrorKind::bad_input,
      "F: tensor \"blocks.1.self_attn.q_rot\": expected a tensor of the model or of a quantized "
      "layer, got F32 [32, 32], which nothing reads");
}

TEST_F(TensorChecks, ScalesOfALayerThatIsNotDeclared) {
  put(layer_ + ".weight_scale", DType::u8, {64, 32});
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.self_attn.q.weight_scale\": expected its layer to have a quantized "
          "type in D.json, got FLOAT for \"blocks.0.self_attn.q.weight\"");
  checkpoint_.types.erase(layer_ + ".weight");
  refuses(ErrorKind::bad_input,
          "F: tensor \"blocks.0.self_attn.q.weight_scale\": expected its layer to have a quantized "
          "type in D.json, got no entry for \"blocks.0.self_attn.q.weight\"");
}

TEST_F(TensorChecks, OnlyLinearLayersAreQuantized) {
  checkpoint_.types["blocks.0.norm2.weight"] = "W8A8_MXFP8";
  refuses(ErrorKind::bad_input,
          "D.json: entry \"blocks.0.norm3.weight\": expected FLOAT, since the model has no linear "
          "layer there, got W8A8_MXFP8");
}

TEST_F(TensorChecks, WarnAboutUnknownTypes) {
  checkpoint_.types[layer_ + ".weight"] = "W2A2";
  put(layer_ + ".weight", DType::u8, {3});
  EXPECT_EQ(
      check(),
      (std::vector<std::string>{"type W2A2 is not known here: its tensors are kept unchecked"}));
  remove(layer_ + ".weight");
  EXPECT_THROW(check(), Error);
}

TEST_F(TensorChecks, WarnAboutPlainTensorsWithoutAnEntry) {
  checkpoint_.types.erase("blocks.0.norm2.weight");
  checkpoint_.types.erase(layer_ + ".weight");
  EXPECT_EQ(check(), (std::vector<std::string>{
                         "2 tensors without an entry in D.json are taken as FLOAT, the first is "
                         "\"blocks.0.self_attn.q.weight\""}));
}

}  // namespace
}  // namespace mxdit::conversion

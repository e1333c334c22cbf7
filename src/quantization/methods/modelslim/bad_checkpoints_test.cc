// Every way in which a layer's tensors or entries can be wrong, with the exact message.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "quantization/methods/modelslim/synthetic_checkpoint.h"

namespace mxdit::modelslim {
namespace {

// The message of loading the layer, its kind in front, paths shortened to their file's name.
std::string refusal(SyntheticCheckpoint& checkpoint) {
  try {
    checkpoint.load();
  } catch (const Error& error) {
    std::string text = std::to_string(exit_status(error.kind())) + " " + error.what();
    const std::string folder = checkpoint.folder->path().string() + "/";
    for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder))
      text.erase(at, folder.size());
    return text;
  }
  return "accepted";
}

SyntheticCheckpoint dual(bool packed = true) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4_DUALSCALE", 4, 512);
  checkpoint.put_blocks(kMxfp4Dual, packed);
  return checkpoint;
}

SyntheticCheckpoint single(int64_t in = 64) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4", 4, in);
  checkpoint.put_blocks(kMxfp4, true);
  return checkpoint;
}

SyntheticCheckpoint mxfp8() {
  SyntheticCheckpoint checkpoint("W8A8_MXFP8", 4, 64);
  checkpoint.put_blocks(kMxfp8, false);
  return checkpoint;
}

SyntheticCheckpoint rows(const char* type, const QuantFormat& format) {
  SyntheticCheckpoint checkpoint(type, 4, 64);
  checkpoint.put_rows(format);
  return checkpoint;
}

SyntheticCheckpoint fixed() {
  SyntheticCheckpoint checkpoint("W8A8", 4, 64);
  checkpoint.put_static(0.05f, 0.0f);
  return checkpoint;
}

Tensor zeros(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::host(dtype, shape);
  std::fill_n(static_cast<char*>(tensor.mutable_data()), tensor.bytes(), '\0');
  return tensor;
}

// A copy with one byte, or one f32, changed.
Tensor with_byte(const Tensor& tensor, int64_t i, uint8_t value) {
  Tensor copy = Tensor::host(tensor.dtype(), tensor.shape());
  std::copy_n(static_cast<const char*>(tensor.data()), tensor.bytes(),
              static_cast<char*>(copy.mutable_data()));
  static_cast<uint8_t*>(copy.mutable_data())[i] = value;
  return copy;
}

Tensor with_number(const Tensor& tensor, int64_t i, float value) {
  Tensor copy = with_byte(tensor, 0, static_cast<const uint8_t*>(tensor.data())[0]);
  copy.as_mutable<float>()[i] = value;
  return copy;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

#define AT "3 [quantization] model.safetensors tensor blocks.0.attn1.to_q."
#define MISSING "4 [quantization] model.safetensors tensor blocks.0.attn1.to_q."

void remove_from_file(SyntheticCheckpoint& checkpoint, const std::string& part) {
  checkpoint.tensors.erase(kLayer + ("." + part));
}

TEST(BadTensors, Missing) {
  auto checkpoint = dual();
  remove_from_file(checkpoint, "weight");
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight: expected one, as quant_model_description.json says "
                    "W4A4_MXFP4_DUALSCALE, got none");
  checkpoint = dual();
  remove_from_file(checkpoint, "weight_scale");
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight_scale: expected one, as quant_model_description.json says "
                    "W4A4_MXFP4_DUALSCALE, got none");
  // Named nowhere, and still not taken for ones.
  checkpoint.drop("weight_scale");
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight_scale (W4A4_MXFP4_DUALSCALE): expected U8 [4, 16], got none");
  checkpoint = dual();
  checkpoint.drop("weight_dual_scale");
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight_dual_scale (W4A4_MXFP4_DUALSCALE): expected F32 [4, 1, 1], got none");
  checkpoint = mxfp8();
  checkpoint.drop("weight_scale");
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight_scale (W8A8_MXFP8): expected U8 [4, 2], got none");
  checkpoint = rows("W8A8_DYNAMIC", kInt8Row);
  checkpoint.drop("weight_scale");
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight_scale (W8A8_DYNAMIC): expected F32 [4, 1], got none");
}

TEST(BadTensors, MissingStatic) {
  const std::map<std::string, std::string> forms = {{"deq_scale", "F32 [4]"},
                                                    {"quant_bias", "I32 [4]"},
                                                    {"input_scale", "F32 [1]"},
                                                    {"input_offset", "F32 [1]"}};
  for (const auto& [part, form] : forms) {
    auto checkpoint = fixed();
    checkpoint.drop(part);
    EXPECT_EQ(refusal(checkpoint), MISSING + part + " (W8A8): expected " + form + ", got none");
  }
}

TEST(BadTensors, NamedScalesHaveToBeThere) {
  for (const char* part : {"mul_scale", "div.mul_scale"}) {
    auto checkpoint = dual();
    checkpoint.description[kLayer + ("." + std::string(part))] = "FLOAT";
    EXPECT_EQ(refusal(checkpoint),
              MISSING + std::string(part) +
                  ": expected one, as quant_model_description.json says FLOAT, got none");
  }
  auto checkpoint = single();
  checkpoint.description[kLayer + std::string(".weight_dual_scale")] = "W4A4_MXFP4";
  EXPECT_EQ(refusal(checkpoint),
            MISSING "weight_dual_scale: expected one, as quant_model_description.json says "
                    "W4A4_MXFP4, got none");
}

TEST(BadTensors, TooMany) {
  auto checkpoint = single();
  checkpoint.put("rotation", filled({4}, 1.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "rotation (W4A4_MXFP4): expected none but weight, weight_scale, weight_dual_scale, "
               "mul_scale, div.mul_scale, bias in such a layer, got rotation");
  checkpoint = mxfp8();
  checkpoint.put("weight_dual_scale", filled({4, 1, 1}, 1.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (W8A8_MXFP8): expected none but weight, weight_scale, mul_scale, "
               "div.mul_scale, bias in such a layer, got weight_dual_scale");
  checkpoint = rows("W8A8_DYNAMIC", kInt8Row);
  checkpoint.put("input_scale", filled({1}, 1.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "input_scale (W8A8_DYNAMIC): expected none but weight, weight_scale, weight_offset, "
               "mul_scale, div.mul_scale, bias in such a layer, got input_scale");
  checkpoint = dual();
  checkpoint.put("mul_scale", filled({512}, 2.0f));
  checkpoint.put("div.mul_scale", filled({512}, 2.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "div.mul_scale (W4A4_MXFP4_DUALSCALE): expected none beside mul_scale, got both");
}

TEST(BadTensors, QuantizedPartsOfAPlainLayer) {
  SyntheticCheckpoint checkpoint("FLOAT", 4, 64);
  checkpoint.put("weight", random_bf16({4, 64}, 3));
  checkpoint.put("weight_scale", filled({4, 1}, 1.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (FLOAT): expected none but weight, bias in such a layer, got "
               "weight_scale");
}

TEST(BadTensors, WrongShape) {
  auto checkpoint = dual();
  checkpoint.at("weight") = zeros(DType::u8, {4, 128});
  EXPECT_EQ(refusal(checkpoint),
            AT "weight (W4A4_MXFP4_DUALSCALE): expected F8_E4M3 [4, 512] or U8 [4, 256], got U8 [4, 128]");
  checkpoint = dual();
  checkpoint.at("weight_scale") = zeros(DType::u8, {4, 8, 2});
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W4A4_MXFP4_DUALSCALE): expected U8 [4, 16], got U8 [4, 8, 2]");
  checkpoint = dual();
  checkpoint.at("weight_dual_scale") = filled({1, 4}, 1.0f);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (W4A4_MXFP4_DUALSCALE): expected F32 [4, 1, 1] or F32 [4, 1], "
               "got F32 [1, 4]");
  checkpoint = dual();
  checkpoint.put("mul_scale", filled({256}, 2.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "mul_scale (W4A4_MXFP4_DUALSCALE): expected F32 [512] or F16 [512] or BF16 [512], "
               "got F32 [256]");
  checkpoint = fixed();
  checkpoint.at("quant_bias") = zeros(DType::i32, {1});
  EXPECT_EQ(refusal(checkpoint), AT "quant_bias (W8A8): expected I32 [4], got I32 [1]");
  checkpoint = rows("W8A8_DYNAMIC", kInt8Row);
  checkpoint.at("weight_scale") = filled({4}, 1.0f);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W8A8_DYNAMIC): expected F32 [4, 1] or F16 [4, 1] or BF16 [4, 1], got "
               "F32 [4]");
  // The packed layout of some devices.
  checkpoint = rows("W4A4_DYNAMIC", kInt4Row);
  checkpoint.at("weight") = zeros(DType::i8, {2, 64});
  EXPECT_EQ(refusal(checkpoint), AT "weight (W4A4_DYNAMIC): expected I8 [4, 64], got I8 [2, 64]");
}

TEST(BadTensors, WrongType) {
  auto checkpoint = dual();
  checkpoint.at("weight_scale") = zeros(DType::i8, {4, 16});
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W4A4_MXFP4_DUALSCALE): expected U8 [4, 16], got I8 [4, 16]");
  checkpoint = dual();
  checkpoint.at("weight_dual_scale") = zeros(DType::bf16, {4, 1, 1});
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (W4A4_MXFP4_DUALSCALE): expected F32 [4, 1, 1] or F32 [4, 1], "
               "got BF16 [4, 1, 1]");
  checkpoint = fixed();
  checkpoint.at("deq_scale") = zeros(DType::bf16, {4});
  EXPECT_EQ(refusal(checkpoint),
            AT "deq_scale (W8A8): expected F32 [4] or I64 [4], got BF16 [4]");
  // What the weight is stored as contradicts the description before any layer is looked at.
  checkpoint = mxfp8();
  checkpoint.at("weight") = zeros(DType::i8, {4, 64});
  EXPECT_EQ(refusal(checkpoint),
            AT "weight: expected F8_E4M3, as quant_model_description.json says W8A8_MXFP8, got I8");
  checkpoint = dual();
  checkpoint.at("weight") = zeros(DType::bf16, {4, 512});
  EXPECT_EQ(refusal(checkpoint),
            AT "weight: expected F8_E4M3 or U8, as quant_model_description.json says "
               "W4A4_MXFP4_DUALSCALE, got BF16");
  checkpoint = SyntheticCheckpoint("FLOAT", 4, 64);
  checkpoint.put("weight", zeros(DType::f8_e4m3, {4, 64}));
  EXPECT_EQ(refusal(checkpoint),
            AT "weight: expected F32 or F16 or BF16 or F64, as quant_model_description.json says "
               "FLOAT, got F8_E4M3");
}

TEST(BadTensors, OddExtents) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4_DUALSCALE", 4, 528);
  checkpoint.put("weight", zeros(DType::u8, {4, 264}));
  EXPECT_EQ(refusal(checkpoint),
            "5 [quantization] quant_model_description.json: layer blocks.0.attn1.to_q "
            "(W4A4_MXFP4_DUALSCALE): expected a multiple of 32 inputs, got 528");
  for (const char* type : {"W4A4_MXFP4", "W8A8_MXFP8"}) {
    SyntheticCheckpoint other(type, 4, 48);
    other.put("weight", zeros(DType::f8_e4m3, {4, 48}));
    EXPECT_EQ(refusal(other), "5 [quantization] quant_model_description.json: layer "
                              "blocks.0.attn1.to_q (" + std::string(type) +
                                  "): expected a multiple of 32 inputs, got 48");
  }
}

TEST(BadValues, Elements) {
  auto checkpoint = dual(false);
  checkpoint.at("weight") = with_byte(checkpoint.at("weight"), 700, to_e4m3(5.0f));
  EXPECT_EQ(refusal(checkpoint),
            AT "weight (W4A4_MXFP4_DUALSCALE): expected values of E2M1 (0, 0.5, 1, 1.5, 2, 3, 4, 6 "
               "and their negatives), got 5 at 700");
  checkpoint = dual(false);
  checkpoint.at("weight") = with_byte(checkpoint.at("weight"), 3, 0x7f);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight (W4A4_MXFP4_DUALSCALE): expected values of E2M1 (0, 0.5, 1, 1.5, 2, 3, 4, 6 "
               "and their negatives), got nan at 3");
  checkpoint = mxfp8();
  checkpoint.at("weight") = with_byte(checkpoint.at("weight"), 65, 0xff);
  EXPECT_EQ(refusal(checkpoint), AT "weight (W8A8_MXFP8): expected numbers, got NaN at 65");
  checkpoint = rows("W4A4_DYNAMIC", kInt4Row);
  checkpoint.at("weight") = with_byte(checkpoint.at("weight"), 9, 8);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight (W4A4_DYNAMIC): expected values from -8 to 7, one a byte, got 8 at 9");
}

TEST(BadValues, BlockScales) {
  auto checkpoint = dual();
  checkpoint.at("weight_scale") = with_byte(checkpoint.at("weight_scale"), 5, 0xff);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W4A4_MXFP4_DUALSCALE): expected E8M0 codes up to 252, above which a "
               "weight is not finite, got 255 (NaN) at 5");
  checkpoint.at("weight_scale") = with_byte(checkpoint.at("weight_scale"), 5, 253);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W4A4_MXFP4_DUALSCALE): expected E8M0 codes up to 252, above which a "
               "weight is not finite, got 253 at 5");
  checkpoint.at("weight_scale") = with_byte(checkpoint.at("weight_scale"), 5, 252);
  checkpoint.at("weight_dual_scale") = filled({4, 1, 1}, 1.0f);
  EXPECT_EQ(refusal(checkpoint), "accepted");
  checkpoint.at("weight_dual_scale") = filled({4, 1, 1}, 2.0f);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (W4A4_MXFP4_DUALSCALE): expected weights that stay finite with "
               "weight_scale, got 2 at 0 with the code 252");
  checkpoint = mxfp8();
  checkpoint.at("weight_scale") = with_byte(checkpoint.at("weight_scale"), 7, 247);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W8A8_MXFP8): expected E8M0 codes up to 246, above which a weight is "
               "not finite, got 247 at 7");
}

TEST(BadValues, Scales) {
  auto checkpoint = dual();
  checkpoint.at("weight_dual_scale") = with_number(checkpoint.at("weight_dual_scale"), 2, kNan);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (W4A4_MXFP4_DUALSCALE): expected finite numbers from 0 on, got "
               "nan at 2");
  checkpoint.at("weight_dual_scale") = with_number(checkpoint.at("weight_dual_scale"), 2, -1.0f);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (W4A4_MXFP4_DUALSCALE): expected finite numbers from 0 on, got "
               "-1 at 2");
  checkpoint = rows("W8A8_DYNAMIC", kInt8Row);
  checkpoint.at("weight_scale") = filled({4, 1}, kNan);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_scale (W8A8_DYNAMIC): expected finite numbers from 0 on, got nan at 0");
  checkpoint = rows("W8A8_DYNAMIC", kInt8Row);
  checkpoint.at("weight_offset") = with_number(checkpoint.at("weight_offset"), 3, 1.0f);
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_offset (W8A8_DYNAMIC): expected zeros (weights are symmetric), got 1 at 3");
}

TEST(BadValues, SmoothScales) {
  auto checkpoint = dual();
  checkpoint.put("mul_scale", with_number(filled({512}, 2.0f), 100, kInfinity));
  EXPECT_EQ(refusal(checkpoint),
            AT "mul_scale (W4A4_MXFP4_DUALSCALE): expected finite numbers, got inf at 100");
  checkpoint.put("mul_scale", with_number(filled({512}, 2.0f), 100, 3.4e38f));
  EXPECT_EQ(refusal(checkpoint),
            AT "mul_scale (W4A4_MXFP4_DUALSCALE): expected numbers that bf16 holds, got 3.4e+38 at "
               "100");
}

TEST(BadValues, Biases) {
  auto checkpoint = dual();
  checkpoint.at("bias") = with_number(checkpoint.at("bias"), 1, kNan);
  EXPECT_EQ(refusal(checkpoint),
            AT "bias (W4A4_MXFP4_DUALSCALE): expected finite numbers, got nan at 1");
}

TEST(BadValues, Static) {
  const auto with = [](const char* part, float value) {
    auto checkpoint = fixed();
    checkpoint.at(part) = with_number(checkpoint.at(part), 0, value);
    return refusal(checkpoint);
  };
  EXPECT_EQ(with("deq_scale", kNan),
            AT "deq_scale (W8A8): expected finite numbers from 0 on, got nan at 0");
  EXPECT_EQ(with("input_scale", 0.0f),
            AT "input_scale (W8A8): expected a positive number with a finite reciprocal, got 0");
  EXPECT_EQ(with("input_scale", kNan),
            AT "input_scale (W8A8): expected finite numbers from 0 on, got nan at 0");
  EXPECT_EQ(with("input_offset", 128.0f),
            AT "input_offset (W8A8): expected -128..127, got 128");
  EXPECT_EQ(with("input_offset", kInfinity),
            AT "input_offset (W8A8): expected finite numbers, got inf at 0");
  auto checkpoint = fixed();
  checkpoint.at("deq_scale") = zeros(DType::i64, {4});
  checkpoint.at("deq_scale").as_mutable<int64_t>()[2] = int64_t{1} << 46;
  EXPECT_EQ(refusal(checkpoint),
            AT "deq_scale (W8A8): expected the bits of an fp32 number in the lower half of each, "
               "got 70368744177664 at 2");
}

TEST(BadDescription, LayerWithoutType) {
  auto checkpoint = dual();
  checkpoint.description.erase(kLayer + std::string(".weight"));
  EXPECT_EQ(refusal(checkpoint),
            "3 [quantization] quant_model_description.json: layer blocks.0.attn1.to_q: expected a "
            "type for \"blocks.0.attn1.to_q.weight\", got none");
}

TEST(BadDescription, UnknownTypes) {
  for (const char* type : {"W4A8_MXFP", "FAQuant", "", "float"}) {
    auto checkpoint = dual();
    checkpoint.description["blocks.7.ffn.net.2.weight"] = type;
    EXPECT_EQ(refusal(checkpoint),
              "5 [quantization] quant_model_description.json: layer blocks.7.ffn.net.2, entry "
              "\"blocks.7.ffn.net.2.weight\": expected one of FLOAT, W8A8, W8A8_DYNAMIC, "
              "W4A4_DYNAMIC, W8A8_MXFP8, W4A4_MXFP4, W4A4_MXFP4_DUALSCALE, got \"" +
                  std::string(type) + "\"");
  }
}

TEST(BadDescription, PartsOfAnotherType) {
  auto checkpoint = dual();
  checkpoint.description[kLayer + std::string(".weight_scale")] = "W8A8_MXFP8";
  EXPECT_EQ(refusal(checkpoint),
            "3 [quantization] quant_model_description.json: entry "
            "\"blocks.0.attn1.to_q.weight_scale\": expected W4A4_MXFP4_DUALSCALE as of the layer's "
            "weight, or FLOAT, got W8A8_MXFP8");
}

TEST(BadDescription, OriginalNames) {
  auto checkpoint = dual();
  checkpoint.description["blocks.0.self_attn.q.weight"] = "W4A4_MXFP4";
  EXPECT_EQ(refusal(checkpoint),
            "3 [quantization] quant_model_description.json: entry \"blocks.0.self_attn.q.weight\": "
            "expected the names of diffusers (blocks.0.attn1.to_q.weight), got those of the "
            "original Wan checkpoint; `mxdit repack` converts it");
}

TEST(BadDescription, EntriesWithoutTensors) {
  auto checkpoint = dual();
  checkpoint.description["blocks.9.attn1.to_q.weight"] = "W8A8";
  EXPECT_EQ(refusal(checkpoint),
            "4 [quantization] model.safetensors tensor blocks.9.attn1.to_q.weight: expected one, as "
            "quant_model_description.json says W8A8, got none");
  checkpoint.description["blocks.9.attn1.to_q.weight"] = "FLOAT";  // missed by the layer, if any
  EXPECT_EQ(refusal(checkpoint), "accepted");
}

TEST(BadDescription, OtherAlgorithms) {
  auto checkpoint = single();
  checkpoint.description["mxfp4_scale_alg"] = 2;
  EXPECT_EQ(refusal(checkpoint),
            "5 [quantization] quant_model_description.json: layer blocks.0.attn1.to_q (W4A4_MXFP4): "
            "expected mxfp4_scale_alg 0 for a single level of scales, got mxfp4_scale_alg 2");
  checkpoint.description.erase("mxfp4_scale_alg");
  checkpoint.description["mxfp4_dst_type_max"] = 7.25;
  EXPECT_EQ(refusal(checkpoint),
            "5 [quantization] quant_model_description.json: layer blocks.0.attn1.to_q (W4A4_MXFP4): "
            "expected mxfp4_scale_alg 0 for a single level of scales, got mxfp4_dst_type_max 7.25");
  checkpoint.description["mxfp4_scale_alg"] = 0;
  EXPECT_EQ(refusal(checkpoint), "accepted");
  auto two_levels = dual();  // has no such choice
  two_levels.description["mxfp4_scale_alg"] = 2;
  EXPECT_EQ(refusal(two_levels), "accepted");
}

TEST(BadDescription, IgnoredLayersHaveToBePlain) {
  auto checkpoint = dual();
  checkpoint.description["ignore"] = {"to_q"};
  EXPECT_EQ(refusal(checkpoint),
            AT "weight_dual_scale (FLOAT): expected none but weight, bias in such a layer, got "
               "weight_dual_scale");
  SyntheticCheckpoint plain("W8A8", 4, 64);
  plain.put("weight", random_bf16({4, 64}, 3));
  plain.description["ignore"] = {"re:blocks\\.\\d+\\.attn1\\..*"};
  EXPECT_EQ(plain.load()->encoding_key(), "plain");
}

TEST(BadDescription, NothingToIgnoreByFlag) {
  auto checkpoint = dual();
  checkpoint.write();
  ConfigArguments arguments;
  arguments.declaration = &checkpoint.description;
  arguments.declared_in = "D";
  arguments.ignored_layers = {"proj_out"};
  try {
    make_config(arguments);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_STREQ(error.what(),
                 "[quantization] --quantization-ignored-layers: expected none, since D says how "
                 "every layer is stored, got proj_out");
  }
}

}  // namespace
}  // namespace mxdit::modelslim

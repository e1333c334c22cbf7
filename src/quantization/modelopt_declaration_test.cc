// The keys of NVIDIA ModelOpt: declarations of all, tensors of modelopt_fp4.
#include "quantization/modelopt_declaration.h"

#include "quantization/layer_testing.h"

namespace mxdit {
namespace {

constexpr const char* kNvfp4Declaration =
    R"({"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16})";

class ModelOptTest : public LayerTest {
 protected:
  ModelOptTest() { write({{"unused", float_tensor(DType::f32, {1}, {1.0f})}}); }

  // An NVFP4 weight [6, 48] as parts of layer "l", and the matrix it stands for.
  Tensors parts() {
    Tensors tensors = {{"l.weight", elements_}, {"l.weight_scale", block_scale_}};
    tensors["l.weight_scale_2"] = float_tensor(DType::f32, {}, {0.25f});
    tensors["l.input_scale"] = float_tensor(DType::f32, {1}, {0.0625f});
    return tensors;
  }
  QuantizedMatrix matrix() const {
    return {&kNvfp4, 6, 48, elements_, block_scale_, float_tensor(DType::f32, {6, 1}, {0.25f})};
  }
  void refuses_with(const std::string& name, const Tensor& tensor, const std::string& text,
                    bool by_value = false) {
    Tensors tensors = parts();
    tensors[name] = tensor;
    write(tensors);
    refuses(ErrorKind::bad_input, "[quantization] FILE tensor " + name + ": " + text,
            "modelopt_fp4", kNvfp4Declaration, 6, 48, by_value);
  }

  Tensor elements_ = [] {
    std::vector<uint8_t> bytes(6 * 24);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 89 + 7);
    return bytes_tensor(DType::u8, {6, 24}, bytes);
  }();
  Tensor block_scale_ = [] {
    std::vector<uint8_t> bytes(6 * 3);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(1 + i * 7);
    return bytes_tensor(DType::f8_e4m3, {6, 3}, bytes);
  }();
};

TEST_F(ModelOptTest, ReadsFlatAndNestedDeclarations) {
  for (const char* text :
       {R"({"quant_algo": "FP8"})", R"({"quantization": {"quant_algo": "FP8"}})",
        R"({"quant_algo": "FP8", "quantization": {"quant_algo": "FP8", "group_size": null}})",
        R"({"quant_algo": "FP8", "group_size": -1})"}) {
    EXPECT_EQ(config("modelopt", text)->name(), "modelopt_fp8");
    EXPECT_EQ(config("modelopt_fp8", text)->name(), "modelopt_fp8");
  }
  for (
      const char* text :
      {R"({"quant_algo": "NVFP4"})", kNvfp4Declaration,
       R"({"quantization": {"quant_algo": "NVFP4", "group_size": 16}})",
       R"({"quant_algo": "NVFP4", "config_groups": {"group_0": {"weights": {"group_size": 16}}}})"}) {
    EXPECT_EQ(config("modelopt", text)->name(), "modelopt_fp4");
    EXPECT_EQ(config("modelopt_fp4", text)->name(), "modelopt_fp4");
  }
  EXPECT_EQ(config("modelopt_fp4", "{}")->name(), "modelopt_fp4");
}

TEST_F(ModelOptTest, RefusesDeclarationsItCannotFollow) {
  const struct {
    ErrorKind kind;
    const char* key;
    const char* declaration;
    const char* text;
  } cases[] = {
      {ErrorKind::unsupported, "modelopt", R"({"quant_algo": "MIXED_PRECISION"})",
       "[quantization] config.json: quant_algo: expected FP8 or NVFP4, got MIXED_PRECISION"},
      {ErrorKind::bad_input, "modelopt", "{}",
       "[quantization] config.json: quant_algo: expected FP8 or NVFP4, got none"},
      {ErrorKind::bad_input, "modelopt",
       R"({"quant_algo": "FP8", "quantization": {"quant_algo": "NVFP4"}})",
       "[quantization] config.json: expected one quant_algo, got FP8 and NVFP4"},
      {ErrorKind::bad_input, "modelopt_fp8", R"({"quant_algo": "NVFP4"})",
       "[quantization] config.json: quant_algo: expected FP8 for modelopt_fp8, got NVFP4"},
      {ErrorKind::bad_input, "modelopt_fp4", R"({"quant_algo": "FP8"})",
       "[quantization] config.json: quant_algo: expected NVFP4 for modelopt_fp4, got FP8"},
      {ErrorKind::unsupported, "modelopt_fp4", R"({"group_size": 32})",
       "[quantization] config.json: group_size: expected 16, got 32"},
      {ErrorKind::unsupported, "modelopt",
       R"({"quant_algo": "NVFP4", "config_groups": {"g": {"weights": {"group_size": 32}}}})",
       "[quantization] config.json: group_size: expected 16, got 32"},
      {ErrorKind::unsupported, "modelopt_fp8", R"({"group_size": 16})",
       "[quantization] config.json: group_size: expected none, got 16"},
      {ErrorKind::bad_input, "modelopt_fp8", R"({"quantization": 3})",
       "[quantization] config.json: quantization: expected an object, got 3"},
      {ErrorKind::bad_input, "modelopt_fp8", "[]", "config.json: expected an object, got"},
      {ErrorKind::bad_input, "modelopt_fp8", R"({"exclude_modules": [1]})", "exclude_modules"}};
  for (const auto& c : cases) expect_error(c.kind, {c.text}, [&] { config(c.key, c.declaration); });
}

TEST_F(ModelOptTest, CannotQuantize) {
  for (const char* key : {"modelopt", "modelopt_fp8", "modelopt_fp4"})
    expect_error(ErrorKind::usage,
                 {std::string("[quantization] ") + key +
                  ": expected a checkpoint that declares it, got none: this key reads quantized "
                  "checkpoints and cannot quantize"},
                 [&] { config(key); });
}

TEST_F(ModelOptTest, ExcludesByPattern) {
  const auto configuration = config("modelopt_fp8", R"({"quantization": {
      "exclude_modules": ["proj_out", "blocks.0.*", "*.norm?", "a[bc]"]}, "ignore": ["cond*", "x[ab].?"]})");
  const auto plain = [&](const char* layer) {
    return configuration->plan(layer, 2, 16).method->name() == "unquantized";
  };
  for (const char* layer :
       {"proj_out", "blocks.0.attn1.to_q", "condition.a", "xa.1", "a[bc]", "b.norm?"})
    EXPECT_TRUE(plain(layer)) << layer;
  for (const char* layer : {"proj_out.0", "blocks.1.attn1.to_q", "blocks.00", "b.norm1", "ab",
                            "xc.1", "xa.10", "a.condition"})
    EXPECT_FALSE(plain(layer)) << layer;
  EXPECT_EQ(configuration->plan("proj_out", 2, 16).reason, "config.json leaves the layer plain");
}

TEST_F(ModelOptTest, MultipliesKnownNumbers) {
  // One row: element 1 is 1.0, all others 0; 1.0 * 2.0 (block) * 0.25 = 0.5.
  std::vector<uint8_t> bytes(8, 0);
  bytes[0] = 0x20;
  write({{"l.weight", bytes_tensor(DType::u8, {1, 8}, bytes)},
         {"l.weight_scale", bytes_tensor(DType::f8_e4m3, {1, 1}, {0x40})},
         {"l.weight_scale_2", float_tensor(DType::f32, {1}, {0.25f})},
         {"l.input_scale", float_tensor(DType::f32, {}, {0.5f})}});
  const auto layer = prepare(*config("modelopt", kNvfp4Declaration), "l", 1, 16);
  // Block scale 3 / 6 / 0.5 = 1, so steps of 0.5: 3 is element 6, 1.1 is 2.2 and becomes 2.
  std::vector<float> x(32, 0.0f);
  x[0] = 3.0f;
  x[1] = 1.1f;
  x[16 + 1] = 3.0f;
  const Tensor y = run(*layer, float_tensor(DType::f32, {2, 16}, x));
  EXPECT_EQ(y.as<float>()[0], 0.5f);
  EXPECT_EQ(y.as<float>()[1], 1.5f);
}

TEST_F(ModelOptTest, MultipliesWhatTheReferenceDecodes) {
  write(parts());
  const auto configuration = config("modelopt_fp4", kNvfp4Declaration);
  const Tensor bias = random_tensor(DType::f32, {6}, 2);
  const Tensor y =
      run(*prepare(*configuration, "l", 6, 48), random_tensor(DType::f32, {5, 48}, 3), &bias);
  expect_product(y, quantized(random_tensor(DType::bf16, {5, 48}, 3), kNvfp4, 0.0625f), matrix(),
                 &bias);
  const LinearInfo info = describe(*configuration, "l", 6, 48);
  EXPECT_EQ(info.type, "nvfp4");
  EXPECT_EQ(info.mapped_bytes, 6u * (24 + 3));
  EXPECT_EQ(info.resident_bytes, 6u * 4);
}

TEST_F(ModelOptTest, RefusesMissingTensors) {
  for (const char* name : {"l.weight", "l.weight_scale", "l.weight_scale_2", "l.input_scale"}) {
    Tensors tensors = parts();
    tensors.erase(name);
    write(tensors);
    refuses(ErrorKind::not_found,
            std::string("[checkpoint] FILE: expected a tensor \"") + name + "\", got none",
            "modelopt_fp4", kNvfp4Declaration, 6, 48);
  }
}

TEST_F(ModelOptTest, RefusesOtherShapesAndTypes) {
  refuses_with("l.weight", random_tensor(DType::bf16, {6, 48}, 1),
               "expected U8 [6, 24], got BF16 [6, 48]");
  refuses_with("l.weight", bytes_tensor(DType::u8, {6, 48}, {0}),
               "expected U8 [6, 24], got U8 [6, 48]");
  refuses_with("l.weight_scale", bytes_tensor(DType::u8, {6, 3}, {1}),
               "expected F8_E4M3 [6, 3], got U8 [6, 3]");
  refuses_with("l.weight_scale", bytes_tensor(DType::f8_e4m3, {3, 6}, {1}),
               "expected F8_E4M3 [6, 3], got F8_E4M3 [3, 6]");
  for (const char* scalar : {"l.weight_scale_2", "l.input_scale"}) {
    refuses_with(scalar, float_tensor(DType::f16, {}, {1.0f}),
                 "expected F32 or BF16 [] or [1], got F16 []");
    refuses_with(scalar, float_tensor(DType::f32, {6}, {1.0f}),
                 "expected F32 or BF16 [] or [1], got F32 [6]");
  }
  for (const char* part : {"l.weight_scale_inv", "l.weight_offset", "l.mul_scale"})
    refuses_with(part, float_tensor(DType::f32, {1}, {1.0f}),
                 "expected none (modelopt_fp4 has no such part), got one");
}

TEST_F(ModelOptTest, RefusesValuesThatAreNoScales) {
  for (const char* scalar : {"l.weight_scale_2", "l.input_scale"})
    for (const float value : {0.0f, -1.0f, INFINITY, std::nanf("")})
      refuses_with(scalar, float_tensor(DType::f32, {}, {value}),
                   "expected positive finite numbers, got ", true);
  for (const uint8_t code : {0x7f, 0xff}) {
    std::vector<uint8_t> codes(18, 0x38);
    codes[4] = code;
    refuses_with("l.weight_scale", bytes_tensor(DType::f8_e4m3, {6, 3}, codes),
                 "expected finite numbers, got ", true);
  }
  // A hole in the file; a sign.
  for (const uint8_t code : {0x00, 0x80, 0xb8}) {
    std::vector<uint8_t> codes(18, 0x38);
    codes[4] = code;
    refuses_with("l.weight_scale", bytes_tensor(DType::f8_e4m3, {6, 3}, codes),
                 "expected positive numbers, got ", true);
  }
  // Blocks of zeros (of either sign) may have a scale of 0.
  Tensors tensors = parts();
  tensors["l.weight"] = bytes_tensor(DType::u8, {6, 24}, {0x08});
  tensors["l.weight_scale"] = bytes_tensor(DType::f8_e4m3, {6, 3}, {0x00});
  write(tensors);
  const Tensor y = run(*prepare(*config("modelopt_fp4", kNvfp4Declaration), "l", 6, 48),
                       random_tensor(DType::f32, {1, 48}, 3));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(y.as<float>()[i], 0.0f);
}

TEST_F(ModelOptTest, RefusesInputsThatAreNoWholeBlocks) {
  for (const int64_t in : {8, 24, 17, 33})
    expect_error(
        ErrorKind::unsupported,
        {"[quantization] layer l (modelopt_fp4 as of config.json): expected a multiple of 16 "
         "inputs, got " +
         std::to_string(in)},
        [&] { config("modelopt_fp4", kNvfp4Declaration)->plan("l", 6, in); });
  // An excluded layer may have any shape.
  const auto configuration = config("modelopt_fp4", R"({"exclude_modules": ["l"]})");
  EXPECT_EQ(configuration->plan("l", 6, 17).method->name(), "unquantized");
}

TEST_F(ModelOptTest, LayersShareAnEncodingWhenTheirInputScalesAgree) {
  Tensors tensors = parts();
  for (const char* layer : {"k", "v"})
    for (const char* part : {"weight", "weight_scale", "weight_scale_2", "input_scale"})
      tensors[std::string(layer) + "." + part] = tensors.at(std::string("l.") + part);
  tensors["v.input_scale"] = float_tensor(DType::f32, {}, {0.125f});
  write(tensors);
  const auto configuration = config("modelopt_fp4", kNvfp4Declaration);
  const auto l = prepare(*configuration, "l", 6, 48);
  EXPECT_EQ(l->encoding_key(), prepare(*configuration, "k", 6, 48)->encoding_key());
  EXPECT_NE(l->encoding_key(), prepare(*configuration, "v", 6, 48)->encoding_key());
}

}  // namespace
}  // namespace mxdit

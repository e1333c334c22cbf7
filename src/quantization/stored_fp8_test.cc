// The keys fp8 (with a declaration) and modelopt_fp8.
#include "quantization/stored_fp8.h"

#include "quantization/layer_testing.h"

namespace mxdit {
namespace {

constexpr const char* kDynamic = R"({"quant_method": "fp8", "activation_scheme": "dynamic"})";
constexpr const char* kStatic = R"({"quant_method": "fp8", "activation_scheme": "static"})";
constexpr const char* kModelOpt = R"({"quant_method": "modelopt", "quant_algo": "FP8"})";

class StoredFp8Test : public LayerTest {
 protected:
  // Finite codes of either sign.
  static Tensor codes(const Shape& shape) {
    std::vector<uint8_t> bytes(static_cast<size_t>(shape.elements()));
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<uint8_t>((i * 37 % 127) | (i % 3 == 0 ? 0x80 : 0));
    return bytes_tensor(DType::f8_e4m3, shape, bytes);
  }
  static QuantizedMatrix matrix(const Tensor& elements, const std::vector<float>& scales) {
    return {&kFp8Row,
            elements.dim(0),
            elements.dim(1),
            elements,
            {},
            float_tensor(DType::f32, {elements.dim(0), 1}, scales)};
  }
};

TEST_F(StoredFp8Test, MultipliesKnownNumbers) {
  // Rows (1, 2) and (0.5, -1.5).
  write({{"l.weight", bytes_tensor(DType::f8_e4m3, {2, 2}, {0x38, 0x40, 0x30, 0xbc})},
         {"l.weight_scale", float_tensor(DType::f32, {2, 1}, {3.0f, 10.0f})},
         {"s.weight", bytes_tensor(DType::f8_e4m3, {2, 2}, {0x38, 0x40, 0x30, 0xbc})},
         {"s.weight_scale", float_tensor(DType::f32, {}, {3.0f})},
         {"s.input_scale", float_tensor(DType::f32, {}, {0.5f})}});
  // The token's scale is 4 / 448, so that its elements are 224 and 448.
  const Tensor x = float_tensor(DType::f32, {1, 2}, {2.0f, 4.0f});
  const Tensor y = run(*prepare(*config("fp8", kDynamic), "l", 2, 2), x);
  EXPECT_NEAR(y.as<float>()[0], 3.0f * (2 + 8), 1e-5);
  EXPECT_NEAR(y.as<float>()[1], 10.0f * (1 - 6), 1e-5);
  for (const char* key : {"fp8", "modelopt_fp8"}) {
    const auto configuration = config(key, std::string(key) == "fp8" ? kStatic : kModelOpt);
    // 1.1 / 0.5 = 2.2 becomes 2.25 in E4M3; 1000 / 0.5 saturates at 448.
    const Tensor z =
        run(*prepare(*configuration, "s", 2, 2), float_tensor(DType::f32, {1, 2}, {1.1f, 1000.0f}));
    EXPECT_NEAR(z.as<float>()[0], 3.0f * 0.5f * (2.25f + 2 * 448), 1e-3);
    EXPECT_NEAR(z.as<float>()[1], 3.0f * 0.5f * (1.125f - 1.5f * 448), 1e-3);
  }
}

TEST_F(StoredFp8Test, TakesEveryFormOfTheScale) {
  const Tensor elements = codes({5, 33});
  const std::vector<float> rows = {0.5f, 1.0f, 0.25f, 2.0f, 8.0f};
  const struct {
    Shape shape;
    std::vector<float> values;
  } forms[] = {{{5}, rows}, {{5, 1}, rows}, {{1}, {0.125f}}, {{}, {0.125f}}};
  const Tensor bias = random_tensor(DType::f32, {5}, 2);
  for (const auto& form : forms)
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const char* name : {"l.weight_scale", "l.weight_scale_inv"})
        for (const bool is_static : {false, true}) {
          Tensors tensors = {{"l.weight", elements},
                             {name, float_tensor(dtype, form.shape, form.values)}};
          if (is_static) tensors["l.input_scale"] = float_tensor(dtype, {1}, {0.03125f});
          write(tensors);
          const auto layer = prepare(*config("fp8", is_static ? kStatic : kDynamic), "l", 5, 33);
          const Tensor x = random_tensor(DType::bf16, {4, 33}, 3);
          expect_product(run(*layer, random_tensor(DType::f32, {4, 33}, 3), &bias),
                         quantized(x, kFp8Row, is_static ? 0.03125f : 0.0f),
                         matrix(elements, form.values), &bias);
        }
}

TEST_F(StoredFp8Test, DescribesWhatStaysMapped) {
  write({{"l.weight", codes({5, 33})},
         {"l.weight_scale", float_tensor(DType::f32, {1}, {1.0f})},
         {"l.input_scale", float_tensor(DType::f32, {1}, {1.0f})}});
  for (const char* key : {"fp8", "modelopt_fp8"}) {
    const auto configuration = config(key, std::string(key) == "fp8" ? kStatic : kModelOpt);
    EXPECT_EQ(configuration->plan("l", 5, 33).reason, std::string("config.json declares ") + key);
    const LinearInfo info = describe(*configuration, "l", 5, 33);
    EXPECT_EQ(info.type, "fp8");
    EXPECT_EQ(info.mapped_bytes, 5u * 33);
    EXPECT_EQ(info.resident_bytes, 5u * 4);
    EXPECT_EQ(info.working_bytes, 0u);
  }
}

TEST_F(StoredFp8Test, LayersShareAnEncodingWhenTheirInputScalesAgree) {
  Tensors tensors;
  for (const char* layer : {"q", "k", "v"}) {
    tensors[std::string(layer) + ".weight"] = codes({2, 4});
    tensors[std::string(layer) + ".weight_scale"] = float_tensor(DType::f32, {1}, {1.0f});
    tensors[std::string(layer) + ".input_scale"] =
        float_tensor(DType::f32, {}, {layer[0] == 'v' ? 0.5f : 0.25f});
  }
  write(tensors);
  const auto configuration = config("fp8", kStatic);
  const auto q = prepare(*configuration, "q", 2, 4);
  EXPECT_EQ(q->encoding_key(), prepare(*configuration, "k", 2, 4)->encoding_key());
  const auto v = prepare(*configuration, "v", 2, 4);
  EXPECT_NE(q->encoding_key(), v->encoding_key());
  const Tensor x = backend_->from_host(random_tensor(DType::f32, {1, 4}, 1));
  expect_error(ErrorKind::internal, {"expected an activation encoded as"},
               [&] { v->apply(*q->encode(x), nullptr, Activation::none); });
}

TEST_F(StoredFp8Test, LeavesDeclaredLayersPlain) {
  write({{"blocks.0.norm.weight", random_tensor(DType::bf16, {2, 4}, 1)}});
  const auto configuration = config("fp8", R"({"activation_scheme": "dynamic",
      "ignored_layers": ["norm"], "modules_to_not_convert": ["proj_out", "attn.to_"]})");
  for (const char* layer : {"blocks.0.norm", "proj_out"}) {
    EXPECT_EQ(configuration->plan(layer, 2, 4).method->name(), "unquantized");
    EXPECT_EQ(configuration->plan(layer, 2, 4).reason, "config.json leaves the layer plain");
  }
  EXPECT_EQ(configuration->plan("blocks.0.attn.to_q", 2, 4).method->name(), "fp8");
  EXPECT_EQ(prepare(*configuration, "blocks.0.norm", 2, 4)->encoding_key(), "plain");
  ignored_ = {"attn"};
  EXPECT_EQ(config("fp8", kDynamic)->plan("blocks.0.attn.to_q", 2, 4).reason,
            "--quantization-ignored-layers names it");
}

TEST_F(StoredFp8Test, RefusesPlainLayersThatAreQuantized) {
  const char* declaration = R"({"activation_scheme": "dynamic", "ignored_layers": ["l"]})";
  write({{"l.weight", codes({2, 4})}, {"l.weight_scale", float_tensor(DType::f32, {1}, {1.0f})}});
  refuses(ErrorKind::bad_input,
          "[quantization] FILE tensor l.weight_scale: expected none (config.json leaves the layer "
          "plain), got one",
          "fp8", declaration, 2, 4);
  write({{"l.weight", codes({2, 4})}});
  refuses(ErrorKind::bad_input,
          "[quantization] FILE tensor l.weight: expected F32, F16 or BF16 (config.json leaves the "
          "layer plain), got F8_E4M3",
          "fp8", declaration, 2, 4);
}

TEST_F(StoredFp8Test, RefusesMissingTensors) {
  const Tensor one = float_tensor(DType::f32, {1}, {1.0f});
  write({{"l.weight_scale", one}, {"l.input_scale", one}});
  refuses(ErrorKind::not_found, "[checkpoint] FILE: expected a tensor \"l.weight\", got none",
          "fp8", kStatic, 64, 4);
  write({{"l.weight", codes({64, 4})}, {"l.input_scale", one}});
  for (const char* key : {"fp8", "modelopt_fp8"})
    refuses(ErrorKind::not_found,
            "[checkpoint] FILE: expected a tensor \"l.weight_scale\", got none", key,
            std::string(key) == "fp8" ? kStatic : kModelOpt, 64, 4);
  write({{"l.weight", codes({64, 4})}, {"l.weight_scale", one}});
  for (const char* key : {"fp8", "modelopt_fp8"})
    refuses(ErrorKind::not_found,
            "[checkpoint] FILE: expected a tensor \"l.input_scale\", got none", key,
            std::string(key) == "fp8" ? kStatic : kModelOpt, 64, 4);
}

TEST_F(StoredFp8Test, RefusesOtherShapesAndTypes) {
  const Tensor one = float_tensor(DType::f32, {1}, {1.0f});
  const std::string at = "[quantization] FILE tensor l.";
  write({{"l.weight", random_tensor(DType::bf16, {64, 4}, 1)}, {"l.weight_scale", one}});
  refuses(ErrorKind::bad_input, at + "weight: expected F8_E4M3 [64, 4], got BF16 [64, 4]", "fp8",
          kDynamic, 64, 4);
  write({{"l.weight", codes({4, 64})}, {"l.weight_scale", one}});
  refuses(ErrorKind::bad_input, at + "weight: expected F8_E4M3 [64, 4], got F8_E4M3 [4, 64]", "fp8",
          kDynamic, 64, 4);
  const Tensor scales[] = {float_tensor(DType::f16, {3}, {1.0f}),
                           float_tensor(DType::f32, {1, 64}, {1.0f}),
                           bytes_tensor(DType::f8_e4m3, {64}, {0x38})};
  const char* got[] = {"F16 [3]", "F32 [1, 64]", "F8_E4M3 [64]"};
  for (int i = 0; i < 3; ++i) {
    write({{"l.weight", codes({64, 4})}, {"l.weight_scale", scales[i]}, {"l.input_scale", one}});
    refuses(ErrorKind::bad_input,
            at + "weight_scale: expected F32 or BF16 [64, 1] or [64] or [1] or [], got " + got[i],
            "fp8", kStatic, 64, 4);
    refuses(ErrorKind::bad_input,
            at + "weight_scale: expected F32 or BF16 [] or [1], got " + got[i], "modelopt_fp8",
            kModelOpt, 64, 4);
    write({{"l.weight", codes({64, 4})}, {"l.weight_scale", one}, {"l.input_scale", scales[i]}});
    for (const char* key : {"fp8", "modelopt_fp8"})
      refuses(ErrorKind::bad_input,
              at + "input_scale: expected F32 or BF16 [] or [1], got " + got[i], key,
              std::string(key) == "fp8" ? kStatic : kModelOpt, 64, 4);
  }
}

TEST_F(StoredFp8Test, RefusesValuesThatAreNoScales) {
  const struct {
    float value;
    const char* text;
  } bad[] = {{0.0f, "0"}, {-0.5f, "-0.5"}, {std::nanf(""), "nan"}, {INFINITY, "inf"}};
  const std::string at = "[quantization] FILE tensor l.";
  for (const auto& b : bad)
    for (const DType dtype : {DType::f32, DType::bf16}) {
      std::vector<float> scales(64, 1.0f);
      scales[9] = b.value;
      const Tensor one = float_tensor(DType::f32, {1}, {1.0f});
      write(
          {{"l.weight", codes({64, 4})}, {"l.weight_scale", float_tensor(dtype, {64, 1}, scales)}});
      refuses(ErrorKind::bad_input,
              at + "weight_scale: expected positive finite numbers, got " + b.text + " at 9", "fp8",
              kDynamic, 64, 4, true);
      write({{"l.weight", codes({64, 4})},
             {"l.weight_scale", one},
             {"l.input_scale", float_tensor(dtype, {}, {b.value})}});
      for (const char* key : {"fp8", "modelopt_fp8"})
        refuses(ErrorKind::bad_input,
                at + "input_scale: expected positive finite numbers, got " + b.text + " at 0", key,
                std::string(key) == "fp8" ? kStatic : kModelOpt, 64, 4, true);
    }
  for (const uint8_t code : {0x7f, 0xff}) {
    Tensor weight = codes({64, 4});
    weight.as_mutable<uint8_t>()[200] = code;
    write({{"l.weight", weight}, {"l.weight_scale", float_tensor(DType::f32, {1}, {1.0f})}});
    refuses(ErrorKind::bad_input, at + "weight: expected finite numbers, got ", "fp8", kDynamic, 64,
            4, true);
  }
}

TEST_F(StoredFp8Test, RefusesPartsThatContradict) {
  const Tensor one = float_tensor(DType::f32, {1}, {1.0f});
  const std::string at = "[quantization] FILE tensor l.";
  write({{"l.weight", codes({2, 4})},
         {"l.weight_scale", one},
         {"l.weight_scale_inv", one},
         {"l.input_scale", one}});
  for (const char* key : {"fp8", "modelopt_fp8"})
    refuses(ErrorKind::bad_input,
            at + "weight_scale: expected one scale of the weight, got l.weight_scale_inv as well",
            key, std::string(key) == "fp8" ? kStatic : kModelOpt, 2, 4);
  write({{"l.weight", codes({2, 4})}, {"l.weight_scale_inv", one}, {"l.input_scale", one}});
  refuses(ErrorKind::bad_input,
          at + "weight_scale_inv: expected none (modelopt_fp8 calls it weight_scale), got one",
          "modelopt_fp8", kModelOpt, 2, 4);
  refuses(
      ErrorKind::bad_input,
      at + "input_scale: expected none (fp8 with dynamic activations has no such part), got one",
      "fp8", kDynamic, 2, 4);
  for (const char* part : {"weight_scale_2", "weight_offset", "mul_scale", "quant_bias"}) {
    write({{"l.weight", codes({2, 4})},
           {"l.weight_scale", one},
           {"l.input_scale", one},
           {std::string("l.") + part, one}});
    refuses(ErrorKind::bad_input,
            at + part + ": expected none (modelopt_fp8 with a static input_scale has no such part)",
            "modelopt_fp8", kModelOpt, 2, 4);
  }
}

TEST_F(StoredFp8Test, RefusesDeclarationsItCannotFollow) {
  write({{"l.weight", codes({2, 4})}});
  const struct {
    ErrorKind kind;
    const char* declaration;
    const char* text;
  } cases[] = {
      {ErrorKind::bad_input, R"({"activation_scheme": "per_token"})",
       "[quantization] config.json: activation_scheme: expected dynamic or static, got per_token"},
      {ErrorKind::unsupported, R"({"fmt": "e5m2"})",
       "[quantization] config.json: fmt: expected e4m3, got e5m2"},
      {ErrorKind::unsupported, R"({"weight_block_size": [128, 128]})",
       "[quantization] config.json: weight_block_size: expected none (scales of whole tensors or "
       "output channels), got [128,128]"},
      {ErrorKind::bad_input, R"({"ignored_layers": "norm"})",
       "\"ignored_layers\": expected an array"},
      {ErrorKind::bad_input, R"({"activation_scheme": 3})",
       "\"activation_scheme\": expected a string"},
      {ErrorKind::bad_input, R"([])", "config.json"}};
  for (const auto& c : cases) expect_error(c.kind, {c.text}, [&] { config("fp8", c.declaration); });
  EXPECT_EQ(config("fp8", R"({"weight_block_size": null, "fmt": "e4m3"})")->name(), "fp8");
}

}  // namespace
}  // namespace mxdit

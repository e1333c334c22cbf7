#include "quantization/online_method.h"

#include "io/resident_bytes.h"
#include "quantization/layer_testing.h"

namespace mxdit {
namespace {

struct Online {
  const char* key;
  const QuantFormat* format;
};

const Online kOnline[] = {
    {"mxfp4_npu", &kMxfp4Dual}, {"mxfp4", &kMxfp4}, {"mxfp8", &kMxfp8}, {"fp8", &kFp8Row}};

class OnlineTest : public LayerTest {};

// Two groups of 512, the second a tail that is no whole block; 257 outputs for mxfp4.
TEST_F(OnlineTest, MultipliesWhatTheReferenceEncodes) {
  const int64_t out = 257, in = 512 + 44;
  for (const DType stored : {DType::bf16, DType::f16, DType::f32}) {
    write({{"l.weight", random_tensor(stored, {out, in}, 1)}});
    // An f32 weight is rounded to bf16 first.
    const Tensor weight = random_tensor(stored == DType::f32 ? DType::bf16 : stored, {out, in}, 1);
    const Tensor bias = random_tensor(DType::f32, {out}, 2);
    for (const Online& online : kOnline) {
      SCOPED_TRACE(online.key);
      const auto layer = prepare(*config(online.key), "l", out, in);
      EXPECT_EQ(layer->out_features(), out);
      EXPECT_EQ(layer->in_features(), in);
      const Tensor y = run(*layer, random_tensor(DType::f32, {3, in}, 3), &bias);
      expect_product(y, quantized(random_tensor(DType::bf16, {3, in}, 3), *online.format),
                     quantized(weight, *online.format), &bias);
    }
  }
}

TEST_F(OnlineTest, DescribesWithoutReading) {
  write({{"l.weight", random_tensor(DType::bf16, {256, 64}, 1)},
         {"wide.weight", random_tensor(DType::f32, {256, 64}, 1)}});
  const struct {
    const char* key;
    const char* type;
    uint64_t bytes;  // elements, then scales
  } cases[] = {{"mxfp4_npu", "mxfp4_dual", 256 * (32 + 2 + 4)},
               {"mxfp4", "mxfp4", 256 * (32 + 2)},
               {"mxfp8", "mxfp8", 256 * (64 + 2)},
               {"fp8", "fp8", 256 * (64 + 4)}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.key);
    const auto configuration = config(c.key);
    const LinearInfo info = describe(*configuration, "l", 256, 64);
    EXPECT_EQ(info.type, c.type);
    EXPECT_FALSE(info.kernel.kernel.empty());
    EXPECT_EQ(info.resident_bytes, c.bytes);
    EXPECT_EQ(info.mapped_bytes, 0u);
    EXPECT_EQ(info.working_bytes, 256u * 64 * 2);
    // Beside the f32 weight there is its copy in bf16.
    EXPECT_EQ(describe(*configuration, "wide", 256, 64).working_bytes, 256u * 64 * 6);
  }
}

TEST_F(OnlineTest, GivesThePlainWeightBack) {
  const Tensor weight = random_tensor(DType::bf16, {256, 1024}, 1);
  write({{"l.weight", weight}});
  for (const bool has_cache : {false, true}) {
    cache_ = has_cache ? (folder_ / "cache").string() : "";
    const Tensor mapped = weights_->get("l.weight");
    EXPECT_EQ(std::memcmp(mapped.data(), weight.data(), weight.bytes()), 0);
    EXPECT_GE(resident_bytes(file()), weight.bytes());
    prepare(*config("fp8"), "l", 256, 1024);
    EXPECT_LE(resident_bytes(file()), weight.bytes() / 2);  // the ends, of whatever page size
    EXPECT_EQ(std::memcmp(mapped.data(), weight.data(), weight.bytes()), 0);
  }
}

TEST_F(OnlineTest, LeavesNamedLayersPlain) {
  ignored_ = {"attn1", "proj_out", "attn2.to_"};
  write({{"blocks.0.attn1.to_q.weight", random_tensor(DType::bf16, {256, 4}, 1)}});
  for (const Online& online : kOnline) {
    const auto configuration = config(online.key);
    for (const char* layer : {"blocks.0.attn1.to_q", "proj_out"}) {
      const LinearPlan plan = configuration->plan(layer, 256, 64);
      EXPECT_EQ(plan.method->name(), "unquantized");
      EXPECT_EQ(plan.reason, "--quantization-ignored-layers names it");
    }
    for (const char* layer : {"blocks.0.attn2.to_q", "blocks.0.attn11.to_q", "proj_out_2"}) {
      const LinearPlan plan = configuration->plan(layer, 256, 64);
      EXPECT_EQ(plan.method->name(), online.key) << layer;
      EXPECT_EQ(plan.reason, std::string("--quantization ") + online.key);
    }
    EXPECT_EQ(prepare(*configuration, "blocks.0.attn1.to_q", 256, 4)->encoding_key(), "plain");
  }
}

TEST_F(OnlineTest, LeavesShapesPlainThatTheFormatCannotTake) {
  write({{"l.weight", random_tensor(DType::bf16, {256, 3}, 1)}});
  const std::string odd =
      ": two 4-bit elements share a byte, and the layer has an odd number of inputs";
  EXPECT_EQ(config("mxfp4_npu")->plan("l", 256, 3).reason, "mxfp4_npu" + odd);
  EXPECT_EQ(config("mxfp4")->plan("l", 256, 3).reason, "mxfp4" + odd);
  EXPECT_EQ(config("mxfp4")->plan("l", 255, 64).reason,
            "mxfp4: layers of less than 256 outputs stay plain");
  EXPECT_EQ(config("mxfp4")->plan("l", 255, 64).method->name(), "unquantized");
  EXPECT_EQ(config("mxfp4_npu")->plan("l", 64, 64).method->name(), "mxfp4_npu");
  EXPECT_EQ(prepare(*config("mxfp4_npu"), "l", 256, 3)->encoding_key(), "plain");
  for (const char* key : {"mxfp8", "fp8"}) {
    const auto layer = prepare(*config(key), "l", 256, 3);
    const QuantFormat& format = std::string(key) == "fp8" ? kFp8Row : kMxfp8;
    expect_product(run(*layer, random_tensor(DType::f32, {2, 3}, 5)),
                   quantized(random_tensor(DType::bf16, {2, 3}, 5), format),
                   quantized(random_tensor(DType::bf16, {256, 3}, 1), format));
  }
}

TEST_F(OnlineTest, LayersOfOneKeyShareAnEncoding) {
  write({{"q.weight", random_tensor(DType::bf16, {256, 8}, 1)},
         {"k.weight", random_tensor(DType::f16, {256, 8}, 2)}});
  std::vector<std::string> keys;
  for (const Online& online : kOnline) {
    const auto configuration = config(online.key);
    const auto q = prepare(*configuration, "q", 256, 8), k = prepare(*configuration, "k", 256, 8);
    EXPECT_EQ(q->encoding_key(), k->encoding_key());
    EXPECT_EQ(std::count(keys.begin(), keys.end(), q->encoding_key()), 0);
    keys.push_back(q->encoding_key());
    const Tensor x = random_tensor(DType::f32, {1, 8}, 3);
    const Tensor own = run(*k, x);
    const Tensor shared =
        backend_->to_host(k->apply(*q->encode(backend_->from_host(x)), nullptr, Activation::none));
    EXPECT_EQ(std::memcmp(own.data(), shared.data(), own.bytes()), 0);
  }
}

TEST_F(OnlineTest, RefusesWeightsThatAreQuantized) {
  const char* parts[] = {"weight_scale",  "weight_scale_inv", "weight_scale_2", "weight_dual_scale",
                         "weight_offset", "input_scale",      "input_offset",   "deq_scale",
                         "quant_bias",    "mul_scale",        "div.mul_scale",  "linear.weight"};
  for (const char* part : parts) {
    write({{"l.weight", random_tensor(DType::bf16, {256, 4}, 1)},
           {std::string("l.") + part, float_tensor(DType::f32, {1}, {1.0f})}});
    for (const Online& online : kOnline)
      refuses(ErrorKind::bad_input,
              std::string("[quantization] FILE tensor l.") + part +
                  ": expected none (--quantization " + online.key +
                  " quantizes plain weights), got one: the checkpoint is already quantized",
              online.key, "", 256, 4);
  }
  for (const DType dtype : {DType::f8_e4m3, DType::i8, DType::u8}) {
    write({{"l.weight", bytes_tensor(dtype, {256, 4}, {0})}});
    for (const Online& online : kOnline)
      refuses(ErrorKind::bad_input,
              "[quantization] FILE tensor l.weight: expected a plain weight to quantize (F32, F16 "
              "or BF16), got " +
                  std::string(name(dtype)),
              online.key, "", 256, 4);
  }
}

TEST_F(OnlineTest, RefusesIgnoredLayersThatAreQuantized) {
  ignored_ = {"l"};
  const char* reason = " (--quantization mxfp8 reads plain weights), got ";
  write({{"l.weight", bytes_tensor(DType::f8_e4m3, {2, 4}, {0x38})}});
  refuses(ErrorKind::bad_input,
          std::string("[quantization] FILE tensor l.weight: expected F32, F16 or BF16") + reason +
              "F8_E4M3",
          "mxfp8", "", 2, 4);
  write({{"l.weight", random_tensor(DType::bf16, {2, 4}, 1)},
         {"l.weight_scale", float_tensor(DType::f32, {1}, {1.0f})}});
  refuses(ErrorKind::bad_input,
          std::string("[quantization] FILE tensor l.weight_scale: expected none") + reason + "one",
          "mxfp8", "", 2, 4);
}

TEST_F(OnlineTest, RefusesWeightsThatAreNotWhatTheLayerNeeds) {
  write({{"m.weight", random_tensor(DType::bf16, {256, 4}, 1)}});
  for (const Online& online : kOnline)
    refuses(ErrorKind::not_found, "expected a tensor \"l.weight\", got none", online.key, "", 256,
            4);
  write({{"l.weight", random_tensor(DType::bf16, {256, 4}, 1)}});
  refuses(ErrorKind::bad_input, "FILE: tensor \"l.weight\": expected shape [4, 256], got [256, 4]",
          "mxfp8", "", 4, 256);
  const float bad[] = {std::nanf(""), INFINITY, -INFINITY};
  const char* texts[] = {"nan", "inf", "-inf"};
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (int i = 0; i < 3; ++i) {
      std::vector<float> values(256 * 4, 1.0f);
      values[517] = bad[i];
      write({{"l.weight", float_tensor(dtype, {256, 4}, values)}});
      for (const Online& online : kOnline)
        refuses(ErrorKind::bad_input,
                std::string("[quantization] FILE tensor l.weight: expected finite numbers, got ") +
                    texts[i] + " at 517",
                online.key, "", 256, 4, true);
    }
}

TEST_F(OnlineTest, RefusesADeclarationOfItsKey) {
  write({{"l.weight", random_tensor(DType::bf16, {2, 4}, 1)}});
  for (const char* key : {"mxfp4_npu", "mxfp4", "mxfp8"})
    expect_error(ErrorKind::bad_input,
                 {std::string("[quantization] config.json: expected a quant_method of stored "
                              "weights, got ") +
                  key + ", which quantizes at load"},
                 [&] { config(key, "{}"); });
}

}  // namespace
}  // namespace mxdit

// What layers of every type compute: against the activation quantized by the reference and products
// in double precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/ops.h"
#include "quantization/methods/modelslim/synthetic_checkpoint.h"

namespace mxdit::modelslim {
namespace {

constexpr int64_t kRows = 3;

// Compares with bias + sum(x w) of the dequantized operands. The bound: every partial sum in fp32
// is off by at most 2e-6 of the sum of absolute values (docs/numerics.md), and the output in bf16
// by half a unit of its 8 bits.
void expect_product(const Tensor& got, const QuantizedMatrix& x, const QuantizedMatrix& w,
                    const Tensor& bias) {
  const Tensor a = reference::dequantize(x), b = reference::dequantize(w);
  ASSERT_EQ(got.dtype(), DType::bf16);
  ASSERT_EQ(got.shape(), (Shape{x.rows, w.rows}));
  for (int64_t m = 0; m < x.rows; ++m)
    for (int64_t n = 0; n < w.rows; ++n) {
      double sum = bias.as<float>()[n], magnitude = std::abs(sum);
      for (int64_t k = 0; k < x.columns; ++k) {
        const double product =
            a.as<double>()[m * x.columns + k] * b.as<double>()[n * x.columns + k];
        sum += product;
        magnitude += std::abs(product);
      }
      const float value = to_float(bf16{got.as<uint16_t>()[m * w.rows + n]});
      EXPECT_NEAR(value, sum, 2e-6 * magnitude + std::abs(sum) / 256) << m << " " << n;
    }
}

Tensor input(const SyntheticCheckpoint& checkpoint) {
  return random_bf16({kRows, checkpoint.in}, 11, 4.0f);
}

Tensor run(const SyntheticCheckpoint& checkpoint, const PreparedLinear& layer, const Tensor& bias) {
  const auto encoded = layer.encode(checkpoint.backend->from_host(input(checkpoint)));
  return checkpoint.backend->to_host(layer.apply(*encoded, &bias, Activation::none));
}

// Loads, and compares with activations in `format`.
void check(SyntheticCheckpoint& checkpoint, const QuantFormat& format,
           const QuantizeOptions& options = {}) {
  const auto layer = checkpoint.load();
  EXPECT_EQ(layer->out_features(), checkpoint.out);
  EXPECT_EQ(layer->in_features(), checkpoint.in);
  EXPECT_FALSE(layer->replaces_bias());
  const QuantizedMatrix x = reference::quantize(input(checkpoint), format, options);
  expect_product(run(checkpoint, *layer, checkpoint.bias()), x, checkpoint.weight,
                 checkpoint.bias());
  EXPECT_THAT(checkpoint.describe().type, ::testing::StartsWith(checkpoint.type));
}

class Mxfp4Forms : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Packed, Mxfp4Forms, ::testing::Bool());

TEST_P(Mxfp4Forms, TwoLevels) {
  for (const char* type : {"W4A4_MXFP4", "W4A4_MXFP4_DUALSCALE"}) {
    SyntheticCheckpoint checkpoint(type, 5, 1024);
    checkpoint.put_blocks(kMxfp4Dual, GetParam());
    check(checkpoint, kMxfp4Dual);
  }
}

TEST_P(Mxfp4Forms, OneLevel) {
  for (const int64_t in : {32, 96, 512, 640}) {  // an odd number of blocks is padded
    SyntheticCheckpoint checkpoint("W4A4_MXFP4", 7, in);
    checkpoint.put_blocks(kMxfp4, GetParam());
    QuantizeOptions options;
    options.round = RoundMode::round;
    check(checkpoint, kMxfp4, options);
  }
}

TEST_P(Mxfp4Forms, ReportsItsMemory) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4", 4, 512);
  checkpoint.put_blocks(kMxfp4Dual, GetParam());
  const LinearInfo info = checkpoint.describe();
  EXPECT_EQ(info.type, "W4A4_MXFP4, dual level");
  EXPECT_EQ(info.mapped_bytes, GetParam() ? 1024u : 0u);
  EXPECT_EQ(info.working_bytes, GetParam() ? 0u : 2048u);
  EXPECT_EQ(info.resident_bytes + info.mapped_bytes, kMxfp4Dual.bytes(4, 512));
}

TEST(Mxfp4, AcceptsAFlatDualScale) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4_DUALSCALE", 5, 1024);
  checkpoint.put_blocks(kMxfp4Dual, true);
  checkpoint.at("weight_dual_scale") = checkpoint.at("weight_dual_scale").reshape({5, 2});
  check(checkpoint, kMxfp4Dual);
}

TEST(Mxfp4, AGroupOfZerosHasTheScaleZero) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4_DUALSCALE", 2, 512);
  checkpoint.put_blocks(kMxfp4Dual, true);
  checkpoint.at("weight_dual_scale") = filled({2, 1, 1}, 0.0f);
  checkpoint.weight.scale = filled({2, 1}, 0.0f);
  check(checkpoint, kMxfp4Dual);
}

TEST(Mxfp4, StoredBytesStayMapped) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4_DUALSCALE", 4, 512);
  checkpoint.put_blocks(kMxfp4Dual, true);
  checkpoint.put("mul_scale", filled({512}, 1.0f), "FLOAT");
  EXPECT_EQ(checkpoint.describe().mapped_bytes, 1024u);
}

class SmoothScale : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Names, SmoothScale, ::testing::Values("mul_scale", "div.mul_scale"));

// Powers of two would hide a product that is rounded elsewhere.
Tensor uneven_scale(int64_t in) {
  Tensor scale = Tensor::host(DType::f32, {in});
  for (int64_t k = 0; k < in; ++k)
    scale.as_mutable<float>()[k] = 0.3f + 0.01f * static_cast<float>(k % 83);
  return scale;
}

Tensor as_bf16(const Tensor& values) {
  Tensor rounded = Tensor::host(DType::bf16, values.shape());
  for (int64_t i = 0; i < values.elements(); ++i)
    rounded.as_mutable<uint16_t>()[i] = to_bf16(values.as<float>()[i]).bits;
  return rounded;
}

TEST_P(SmoothScale, IsAppliedInBf16) {
  const Tensor scale = uneven_scale(512), rounded = as_bf16(scale);
  QuantizeOptions options;
  options.smooth_scale = &rounded;
  for (const char* type : {"W4A4_MXFP4_DUALSCALE", "W8A8_MXFP8", "W8A8_DYNAMIC"}) {
    SyntheticCheckpoint checkpoint(type, 5, 512);
    const QuantFormat& format = type == std::string("W8A8_MXFP8")     ? kMxfp8
                                : type == std::string("W8A8_DYNAMIC") ? kInt8Row
                                                                      : kMxfp4Dual;
    if (format.block != 0)
      checkpoint.put_blocks(format, false);
    else
      checkpoint.put_rows(format);
    checkpoint.put(GetParam(), scale, "FLOAT");
    check(checkpoint, format, options);
  }
}

TEST(SmoothScaleFlag, OnesAreNone) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4_DUALSCALE", 5, 512);
  checkpoint.put_blocks(kMxfp4Dual, true);
  const std::string without = checkpoint.load()->encoding_key();
  // Numbers that are 1 in bf16 count as 1.
  checkpoint.put("mul_scale", filled({512}, 1.001f), "FLOAT");
  EXPECT_EQ(checkpoint.load()->encoding_key(), without);
  checkpoint.put("mul_scale", filled({512}, 1.01f), "FLOAT");
  EXPECT_NE(checkpoint.load()->encoding_key(), without);
}

TEST(Mxfp8, Multiplies) {
  for (const int64_t in : {32, 96, 1024}) {
    SyntheticCheckpoint checkpoint("W8A8_MXFP8", 6, in);
    checkpoint.put_blocks(kMxfp8, false);
    check(checkpoint, kMxfp8);
    EXPECT_EQ(checkpoint.describe().mapped_bytes, static_cast<uint64_t>(6 * in));
  }
}

TEST(Int8Dynamic, Multiplies) {
  SyntheticCheckpoint checkpoint("W8A8_DYNAMIC", 6, 515);
  checkpoint.put_rows(kInt8Row);
  check(checkpoint, kInt8Row);
  checkpoint.drop("weight_offset");  // symmetric anyway
  check(checkpoint, kInt8Row);
}

TEST(Int8Dynamic, TakesScalesInHalfPrecision) {
  SyntheticCheckpoint checkpoint("W8A8_DYNAMIC", 6, 64);
  checkpoint.put_rows(kInt8Row);
  const Tensor rounded = as_bf16(checkpoint.at("weight_scale"));
  checkpoint.at("weight_scale") = rounded;
  checkpoint.at("weight_offset") = as_bf16(checkpoint.at("weight_offset"));
  for (int64_t n = 0; n < 6; ++n)
    checkpoint.weight.scale.as_mutable<float>()[n] = to_float(bf16{rounded.as<uint16_t>()[n]});
  check(checkpoint, kInt8Row);
}

TEST(Int4Dynamic, Multiplies) {
  SyntheticCheckpoint checkpoint("W4A4_DYNAMIC", 6, 130);
  checkpoint.put_rows(kInt4Row);
  check(checkpoint, kInt4Row);
}

// deq_scale is the product of both scales; the bias comes from quant_bias alone.
void check_static(SyntheticCheckpoint& checkpoint, float scale, float offset) {
  const auto layer = checkpoint.load();
  EXPECT_TRUE(layer->replaces_bias());
  QuantizeOptions options;
  options.static_scale = scale;
  options.static_offset = offset;
  QuantizedMatrix x = reference::quantize(input(checkpoint), kInt8Row, options);
  x.scale = Tensor();
  QuantizedMatrix w = checkpoint.weight;
  w.scale = Tensor::host(DType::f32, {checkpoint.out, 1});
  Tensor bias = Tensor::host(DType::f32, {checkpoint.out});
  for (int64_t n = 0; n < checkpoint.out; ++n) {
    const float deq = checkpoint.weight.scale.as<float>()[n] * scale;
    w.scale.as_mutable<float>()[n] = deq;
    bias.as_mutable<float>()[n] =
        static_cast<float>(checkpoint.at("quant_bias").as<int32_t>()[n]) * deq;
  }
  const Tensor wrong_bias = filled({checkpoint.out}, 1e6f);
  expect_product(run(checkpoint, *layer, wrong_bias), x, w, bias);
}

TEST(Int8Static, Multiplies) {
  for (const float offset : {0.0f, -7.0f}) {
    SyntheticCheckpoint checkpoint("W8A8", 6, 130);
    checkpoint.put_static(0.04f, offset);
    check_static(checkpoint, 0.04f, offset);
    checkpoint.drop("bias");
    checkpoint.drop("weight_scale");
    checkpoint.drop("weight_offset");
    check_static(checkpoint, 0.04f, offset);
  }
}

TEST(Int8Static, ReadsScalesStoredAsBits) {
  SyntheticCheckpoint checkpoint("W8A8", 6, 130);
  checkpoint.put_static(0.04f, 3.0f);
  Tensor bits = Tensor::host(DType::i64, {6});
  for (int64_t n = 0; n < 6; ++n)
    bits.as_mutable<int64_t>()[n] =
        std::bit_cast<uint32_t>(checkpoint.at("deq_scale").as<float>()[n]);
  checkpoint.at("deq_scale") = bits;
  check_static(checkpoint, 0.04f, 3.0f);
}

TEST(Float, IsPlainOnEveryLayer) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    SyntheticCheckpoint checkpoint("FLOAT", 6, 130);
    Tensor weight = random_bf16({6, 130}, 3);
    if (dtype == DType::f32) weight = ops::cast(*checkpoint.backend, weight, DType::f32);
    checkpoint.put("weight", weight);
    const auto layer = checkpoint.load();
    EXPECT_EQ(layer->encoding_key(), "plain");
    EXPECT_EQ(checkpoint.describe().type, dtype == DType::f32 ? "F32" : "BF16");
  }
}

// A step of the policy's other precision quantizes the same input to MXFP8, with the same weight.
void check_policy(const char* type, const QuantFormat& format, RoundMode round) {
  SyntheticCheckpoint checkpoint(type, 5, 512);
  checkpoint.put_blocks(format, true);
  const Tensor scale = uneven_scale(512), rounded = as_bf16(scale);
  checkpoint.put("mul_scale", scale, "FLOAT");
  checkpoint.description["timestep_policy"] = {
      {"w4a4_linear", {{"0", "W4A8"}, {"2", "W4A4"}, {"default", "W4A8"}}},
      {"fa", {{"default", "FLOAT"}}}};
  const auto clock = std::make_shared<StepClock>();
  const auto layer = checkpoint.load(clock);
  std::map<int64_t, std::string> keys;
  for (const int64_t step : {0, 1, 2, 3}) {
    clock->set(step);
    keys[step] = layer->encoding_key();
    QuantizeOptions options;
    options.smooth_scale = &rounded;
    options.round = step == 2 ? round : RoundMode::rint;
    const QuantizedMatrix x =
        reference::quantize(input(checkpoint), step == 2 ? format : kMxfp8, options);
    expect_product(run(checkpoint, *layer, checkpoint.bias()), x, checkpoint.weight,
                   checkpoint.bias());
  }
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[1], keys[2]);
  EXPECT_EQ(keys[3], keys[0]);
  clock->set(0);
  const auto encoded = layer->encode(checkpoint.backend->from_host(input(checkpoint)));
  clock->set(2);
  EXPECT_THROW(layer->apply(*encoded, nullptr, Activation::none), Error);
}

TEST(TimestepPolicy, ChangesTheActivationOfTwoLevels) {
  check_policy("W4A4_MXFP4_DUALSCALE", kMxfp4Dual, RoundMode::rint);
}

TEST(TimestepPolicy, ChangesTheActivationOfOneLevel) {
  check_policy("W4A4_MXFP4", kMxfp4, RoundMode::round);
}

TEST(TimestepPolicy, WithoutClockIsStepZero) {
  SyntheticCheckpoint checkpoint("W4A4_MXFP4", 5, 64);
  checkpoint.put_blocks(kMxfp4, true);
  checkpoint.description["timestep_policy"] = {{"w4a4_linear", {{"0", "W4A8"}}}};
  EXPECT_THAT(checkpoint.load()->encoding_key(), ::testing::HasSubstr("mxfp8"));
}

}  // namespace
}  // namespace mxdit::modelslim

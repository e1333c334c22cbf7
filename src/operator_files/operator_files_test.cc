#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "formats/reference.h"
#include "io/expect_error.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "mxdit/operators.h"
#include "operator_files/matrix_file.h"

namespace mxdit {
namespace {

const OperatorOptions kOneThread = {"cpu", "", 1};

Tensor normal(DType dtype, const Shape& shape, uint32_t seed) {
  Tensor tensor = Tensor::host(dtype, shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> values;
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = values(random);
    if (dtype == DType::f32)
      tensor.as_mutable<float>()[i] = value;
    else
      tensor.as_mutable<uint16_t>()[i] =
          dtype == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
  }
  return tensor;
}

std::string bytes(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data()), tensor.bytes()};
}

class OperatorFiles : public ::testing::Test {
 protected:
  std::string write(const std::map<std::string, Tensor>& tensors) {
    write_safetensors(in_, tensors);
    return in_;
  }
  Tensor read(const std::string& name) { return SafetensorsFile::open(out_).get(name); }

  TemporaryFolder folder_;
  const std::string in_ = folder_ / "in.safetensors", out_ = folder_ / "out.safetensors";
};

TEST_F(OperatorFiles, QuantizeGivesTheOperatorsShapes) {
  write({{"x", normal(DType::bf16, {2, 3, 514}, 1)}, {"smooth", normal(DType::bf16, {514}, 2)}});
  quantize_file(in_, out_, "mxfp4_dual", "rint", kOneThread);
  EXPECT_EQ(read("y").shape(), Shape({2, 3, 257}));
  EXPECT_EQ(read("l0").shape(), Shape({2, 3, 2}));
  EXPECT_EQ(read("l1").shape(), Shape({2, 3, 9, 2}));
  quantize_file(in_, out_, "mxfp8", "rint", kOneThread);
  EXPECT_EQ(read("y").dtype(), DType::f8_e4m3);
  EXPECT_EQ(read("scale").shape(), Shape({2, 3, 9, 2}));
  quantize_file(in_, out_, "int8", "rint", kOneThread);
  EXPECT_EQ(read("scale").shape(), Shape({2, 3, 1}));
}

TEST_F(OperatorFiles, PublicVectorOfTheDualLevelQuantizer) {
  Tensor eights = Tensor::host(DType::bf16, {1, 512});
  for (int i = 0; i < 512; ++i) eights.as_mutable<uint16_t>()[i] = to_bf16(8.0f).bits;
  write({{"x", eights}});
  quantize_file(in_, out_, "mxfp4_dual", "rint", kOneThread);
  EXPECT_EQ(bytes(read("y")), std::string(256, '\x77'));
  EXPECT_FLOAT_EQ(read("l0").as<float>()[0], 1.333333f);
  EXPECT_EQ(bytes(read("l1")), std::string(16, '\x7f'));
}

TEST_F(OperatorFiles, PublicVectorOfTheDualLevelProduct) {
  const auto filled = [](DType dtype, const Shape& shape, int byte) {
    Tensor tensor = Tensor::host(dtype, shape);
    std::memset(tensor.mutable_data(), byte, tensor.bytes());
    return tensor;
  };
  const auto number = [](const Shape& shape, float value) {
    Tensor tensor = Tensor::host(DType::f32, shape);
    std::fill_n(tensor.as_mutable<float>(), tensor.elements(), value);
    return tensor;
  };
  write({{"x1", filled(DType::u8, {256, 512}, 0x22)},
         {"x1_l0", number({256, 2}, 1)},
         {"x1_l1", filled(DType::u8, {256, 16, 2}, 127)},
         {"x2", filled(DType::u8, {512, 512}, 0x22)},
         {"x2_l0", number({2, 512}, 1)},
         {"x2_l1", filled(DType::u8, {512, 16, 2}, 127)},
         {"bias", number({512}, 1002)}});
  matmul_file(in_, out_, "mxfp4_dual", "fp16", kOneThread);
  const Tensor out = read("out");
  ASSERT_EQ(out.shape(), Shape({256, 512}));
  for (int64_t i = 0; i < out.elements(); ++i)
    ASSERT_EQ(to_float(f16{out.as<uint16_t>()[i]}), 2026.0f);
}

TEST_F(OperatorFiles, DequantizeIsTheWayBack) {
  for (const std::string& format : operator_formats()) {
    const Tensor x = normal(DType::f16, {3, 2, 96}, 3);
    write({{"x", x}});
    quantize_file(in_, out_, format, "rint", kOneThread);
    std::filesystem::rename(out_, in_);
    dequantize_file(in_, out_, format, "fp32", kOneThread);
    const Tensor exact = reference::dequantize(
        reference::quantize(x.reshape({6, 96}), *find_quant_format(format)));
    ASSERT_EQ(read("x").shape(), Shape({3, 2, 96})) << format;
    for (int64_t i = 0; i < exact.elements(); ++i)
      ASSERT_EQ(read("x").as<float>()[i], static_cast<float>(exact.as<double>()[i])) << format;
  }
}

// Whole numbers of a few bits: every order of summing gives the same product.
TEST_F(OperatorFiles, MatmulTakesBothLayoutsOfTheWeightsScales) {
  const Tensor x = normal(DType::bf16, {5, 1024}, 4), w = normal(DType::bf16, {3, 1024}, 5);
  const QuantizedMatrix qx = reference::quantize(x, kMxfp4Dual);
  const QuantizedMatrix qw = reference::quantize(w, kMxfp4Dual);
  Tensor turned = Tensor::host(DType::f32, {2, 3});
  for (int n = 0; n < 3; ++n)
    for (int g = 0; g < 2; ++g)
      turned.as_mutable<float>()[g * 3 + n] = qw.scale.as<float>()[n * 2 + g];
  std::map<std::string, Tensor> tensors = {
      {"x1", qx.elements},    {"x1_l0", qx.scale}, {"x1_l1", qx.block_scale},
      {"x2", qw.elements},    {"x2_l0", turned},   {"x2_l1", qw.block_scale}};
  write(tensors);
  matmul_file(in_, out_, "mxfp4_dual", "fp32", kOneThread);
  const std::string first = bytes(read("out"));
  tensors["x2_l0"] = qw.scale;
  write(tensors);
  matmul_file(in_, out_, "mxfp4_dual", "fp32", kOneThread);
  EXPECT_EQ(bytes(read("out")), first);
  const Tensor expected = reference::matmul(qx, qw, nullptr, DType::f32);
  for (int64_t i = 0; i < expected.elements(); ++i)
    EXPECT_NEAR(read("out").as<float>()[i], expected.as<float>()[i], 1e-4f);
}

TEST_F(OperatorFiles, LinearQuantizesAPlainWeight) {
  const Tensor x = normal(DType::bf16, {2, 3, 512}, 6), w = normal(DType::f32, {4, 512}, 7);
  const Tensor bias = normal(DType::f32, {4}, 8);
  write({{"x", x}, {"w", w}, {"bias", bias}});
  linear_file(in_, out_, "mxfp4_npu", "", "fp32", kOneThread);
  Tensor half = Tensor::host(DType::bf16, w.shape());
  for (int64_t i = 0; i < w.elements(); ++i)
    half.as_mutable<uint16_t>()[i] = to_bf16(w.as<float>()[i]).bits;
  const Tensor expected =
      reference::matmul(reference::quantize(x.reshape({6, 512}), kMxfp4Dual),
                        reference::quantize(half, kMxfp4Dual), &bias, DType::f32);
  ASSERT_EQ(read("out").shape(), Shape({2, 3, 4}));
  for (int64_t i = 0; i < expected.elements(); ++i)
    EXPECT_NEAR(read("out").as<float>()[i], expected.as<float>()[i], 1e-4f);
  linear_file(in_, out_, "", "", "", kOneThread);
  EXPECT_EQ(read("out").dtype(), DType::bf16);
}

TEST_F(OperatorFiles, RefusalsNameFileTensorExpectedAndGot) {
  const auto quantize = [&] { quantize_file(in_, out_, "mxfp4_dual", "rint", kOneThread); };
  const auto refused = [&](ErrorKind kind, const std::string& text, const auto& run) {
    expect_error(kind, {text}, run);
    EXPECT_FALSE(std::filesystem::exists(out_));
  };
  write({{"y", normal(DType::bf16, {1, 32}, 1)}});
  refused(ErrorKind::not_found, in_ + ": expected a tensor x, got none of that name", quantize);
  write({{"x", normal(DType::f32, {1, 32}, 1)}});
  refused(ErrorKind::bad_input, "tensor x: expected BF16 or F16, got F32", quantize);
  write({{"x", normal(DType::bf16, {1, 33}, 1)}});
  refused(ErrorKind::bad_input, "tensor x: expected shape [..., K] with an even K", quantize);
  write({{"x", normal(DType::bf16, {1, 32}, 1)}, {"smooth", normal(DType::f16, {32}, 1)}});
  refused(ErrorKind::bad_input, "tensor smooth: expected BF16, got F16", quantize);
  write({{"x", normal(DType::bf16, {1, 32}, 1)}, {"z", normal(DType::f16, {32}, 1)}});
  refused(ErrorKind::bad_input, "tensor z: expected only tensors that quantize", quantize);
  refused(ErrorKind::usage, "--format: expected one of mxfp4_dual, mxfp4",
          [&] { quantize_file(in_, out_, "mx", "rint", kOneThread); });
  refused(ErrorKind::usage, "--round: expected rint (mxfp8 rounds to nearest even only), got floor",
          [&] { quantize_file(in_, out_, "mxfp8", "floor", kOneThread); });
  refused(ErrorKind::usage, "--type: expected the layer's type",
          [&] { linear_file(in_, out_, "modelslim", "", "", kOneThread); });
  refused(ErrorKind::unsupported, "--quantization: expected one of ",
          [&] { write({{"x", normal(DType::bf16, {1, 32}, 1)}, {"w", normal(DType::bf16, {2, 32}, 1)}});
                linear_file(in_, out_, "mxfp5", "", "", kOneThread); });
}

}  // namespace
}  // namespace mxdit

// Results that the makers of CANN's operators published: tests of torch_npu and of the operators'
// own repository.
#include <random>

#include "doctor/check.h"
#include "doctor/values.h"
#include "formats/reference.h"
#include "ops/ops.h"

namespace mxdit::doctor {
namespace {

QuantizedMatrix on_host(Backend& backend, const QuantizedMatrix& matrix) {
  QuantizedMatrix host = matrix;
  host.packed = nullptr;
  host.elements = backend.to_host(matrix.elements);
  if (matrix.block_scale.defined()) host.block_scale = backend.to_host(matrix.block_scale);
  if (matrix.scale.defined()) host.scale = backend.to_host(matrix.scale);
  return host;
}

QuantizedMatrix on_device(Backend& backend, const QuantizedMatrix& matrix) {
  QuantizedMatrix device = matrix;
  device.packed = nullptr;
  device.elements = backend.from_host(matrix.elements);
  if (matrix.block_scale.defined()) device.block_scale = backend.from_host(matrix.block_scale);
  if (matrix.scale.defined()) device.scale = backend.from_host(matrix.scale);
  return device;
}

Tensor bytes(const Shape& shape, std::initializer_list<uint8_t> values) {
  Tensor tensor = Tensor::host(DType::u8, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    tensor.as_mutable<uint8_t>()[i] = values.begin()[static_cast<size_t>(i) % values.size()];
  return tensor;
}

// 512 times 8.0: every element is the largest, 6, and the scale of the group 8 / 6.
std::string dual_level_of_eights(Backend& backend) {
  const Tensor x = constant(DType::bf16, {1, 512}, 8.0f);
  const QuantizedMatrix got =
      on_host(backend, ops::quantize(backend, backend.from_host(x), kMxfp4Dual));
  expect_equal_bytes("elements", got.elements, bytes({1, 256}, {0x77}));
  expect_equal_bytes("block scales", got.block_scale, bytes({1, 8, 2}, {127}));
  expect_equal_bytes("group scale", got.scale, constant(DType::f32, {1, 1}, 8.0f / 6.0f));
  return "elements 0x77, l0 1.333333, l1 127";
}

std::string mxfp8_of_four(Backend& backend) {
  Tensor x = constant(DType::bf16, {1, 4}, 0.0f);
  for (const int i : {1, 2, 3})
    x.as_mutable<bf16>()[i] = to_bf16(i == 1 ? 8.0f : i == 2 ? 64.0f : 512.0f);
  const QuantizedMatrix got =
      on_host(backend, ops::quantize(backend, backend.from_host(x), kMxfp8));
  expect_equal_bytes("elements", got.elements.view_as(DType::u8), bytes({1, 4}, {0, 72, 96, 120}));
  expect_equal_bytes("block scales", got.block_scale, bytes({1, 1, 2}, {128, 0}));
  return "elements 0 72 96 120, scale 128";
}

QuantizedMatrix dual_level(int64_t rows, int64_t columns) {
  QuantizedMatrix matrix;
  matrix.format = &kMxfp4Dual;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.elements = Tensor::host(DType::u8, kMxfp4Dual.elements_shape(rows, columns));
  matrix.block_scale = Tensor::host(DType::u8, kMxfp4Dual.block_scale_shape(rows, columns));
  matrix.scale = Tensor::host(DType::f32, kMxfp4Dual.scale_shape(rows, columns));
  return matrix;
}

Tensor multiply(Backend& backend, const QuantizedMatrix& x, const QuantizedMatrix& w,
                const Tensor& bias, DType out) {
  const auto weight = backend.prepare_quantized(on_device(backend, w));
  const Tensor device_bias = backend.from_host(bias);
  return backend.to_host(ops::quantized_linear(backend, on_device(backend, x), *weight,
                                               &device_bias, Activation::none, out));
}

// 1024 products of ones and a bias of 1002.
std::string product_of_ones(Backend& backend) {
  const auto ones = [](int64_t rows) {
    QuantizedMatrix matrix = dual_level(rows, 1024);
    matrix.elements = bytes(matrix.elements.shape(), {0x22});
    matrix.block_scale = bytes(matrix.block_scale.shape(), {127});
    matrix.scale = constant(DType::f32, matrix.scale.shape(), 1.0f);
    return matrix;
  };
  const Tensor got =
      multiply(backend, ones(256), ones(512), constant(DType::f32, {512}, 1002.0f), DType::f16);
  expect_equal_bytes("product", got, constant(DType::f16, {256, 512}, 2026.0f));
  return "256 x 1024 x 512, all 2026";
}

// The distributions of torch_npu's test of its dual-level product; whole numbers -6..5 as E2M1.
QuantizedMatrix like_torch(int64_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  QuantizedMatrix matrix = dual_level(rows, 1024);
  const auto code = [&] {
    return to_e2m1(static_cast<float>(static_cast<int>(random() % 12) - 6), RoundMode::rint);
  };
  for (int64_t i = 0; i < matrix.elements.elements(); ++i) {
    const uint8_t low = code(), high = code();
    matrix.elements.as_mutable<uint8_t>()[i] = static_cast<uint8_t>(low | high << 4);
  }
  for (int64_t i = 0; i < matrix.block_scale.elements(); ++i)
    matrix.block_scale.as_mutable<uint8_t>()[i] = static_cast<uint8_t>(124 + random() % 6);
  matrix.scale = random_values(DType::f32, matrix.scale.shape(), seed + 1);
  return matrix;
}

std::string product_like_torch(Backend& backend) {
  const QuantizedMatrix x = like_torch(256, 1), w = like_torch(2048, 3);
  const Tensor bias = random_values(DType::f32, {2048}, 5);
  const Tensor got = multiply(backend, x, w, bias, DType::bf16);
  return "256 x 1024 x 2048, " +
         expect_close(
             "product", got,
             product(reference::dequantize(x), reference::dequantize(w), &bias, DType::bf16));
}

}  // namespace

std::vector<Check> vector_checks() {
  return {{"vectors", "dual-level quantization of 8.0", dual_level_of_eights},
          {"vectors", "mxfp8 quantization of 0 8 64 512", mxfp8_of_four},
          {"vectors", "dual-level product of ones", product_of_ones},
          {"vectors", "dual-level product of torch_npu's test", product_like_torch}};
}

}  // namespace mxdit::doctor

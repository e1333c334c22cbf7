// One linear layer of each mode: quantized bytes and scales equal to the scalar reference, products
// within the rounding of their result. Extents with tails: no multiple of 512 or 64 columns.
#include "doctor/check.h"
#include "doctor/values.h"
#include "formats/element.h"
#include "formats/reference.h"
#include "ops/ops.h"

namespace mxdit::doctor {
namespace {

constexpr int64_t kTokens = 37, kIn = 1632, kOut = 272;

// Values as a layer's: rows of different magnitudes.
Tensor operand(int64_t rows, uint32_t seed) {
  Tensor tensor = random_values(DType::bf16, {rows, kIn}, seed);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float magnitude = static_cast<float>(1 << (i / kIn) % 5) * (i % 97 == 0 ? 12.0f : 0.25f);
    bf16& value = tensor.as_mutable<bf16>()[i];
    value = to_bf16(to_float(value) * magnitude);
  }
  return tensor;
}

Tensor as_f64(const Tensor& tensor) {
  const std::vector<double> values = values_of(tensor);
  Tensor wide = Tensor::host(DType::f64, tensor.shape());
  std::copy(values.begin(), values.end(), wide.as_mutable<double>());
  return wide;
}

// f32, but numbers that bf16 has too: some operators take the bias in bf16.
Tensor bias_values() {
  Tensor bias = random_values(DType::f32, {kOut}, 23);
  for (int64_t i = 0; i < kOut; ++i)
    bias.as_mutable<float>()[i] = to_float(to_bf16(bias.as<float>()[i]));
  return bias;
}

std::string plain(Backend& backend, bool has_bias) {
  const Tensor x = operand(kTokens, 21), w = operand(kOut, 22), bias = bias_values();
  const auto weight = backend.prepare_linear(backend.from_host(w), {.bias = has_bias});
  const Tensor device_bias = backend.from_host(bias);
  const Tensor got = backend.to_host(ops::linear(
      backend, backend.from_host(x), *weight, has_bias ? &device_bias : nullptr, Activation::none));
  return expect_close("product", got,
                      product(as_f64(x), as_f64(w), has_bias ? &bias : nullptr, DType::bf16));
}

// The matrix on the device, equal to `expected` to the bit.
QuantizedMatrix encode(Backend& backend, const std::string& what, const Tensor& values,
                       const QuantizedMatrix& expected) {
  QuantizedMatrix device = ops::quantize(backend, backend.from_host(values), *expected.format);
  QuantizedMatrix host = device;
  host.elements = backend.to_host(device.elements);
  if (device.block_scale.defined()) host.block_scale = backend.to_host(device.block_scale);
  if (device.scale.defined()) host.scale = backend.to_host(device.scale);
  expect_equal_matrices(what, host, expected);
  return device;
}

std::string quantized(Backend& backend, const QuantFormat& format) {
  const KernelChoice choice = backend.quantized_kernel(format, format, kOut, kIn);
  if (!choice.refusal.empty()) fail(ErrorKind::unsupported, choice.refusal);
  const Tensor x = operand(kTokens, 31), w = operand(kOut, 32), bias = bias_values();
  const QuantizedMatrix qx = reference::quantize(x, format), qw = reference::quantize(w, format);
  const auto weight = backend.prepare_quantized(encode(backend, "weight", w, qw));
  const QuantizedMatrix device_x = encode(backend, "activation", x, qx);
  const Tensor device_bias = backend.from_host(bias);
  const Tensor got = backend.to_host(ops::quantized_linear(backend, device_x, *weight, &device_bias,
                                                           Activation::none, DType::bf16));
  return choice.kernel + ", bytes and scales equal, product " +
         expect_close(
             "product", got,
             product(reference::dequantize(qx), reference::dequantize(qw), &bias, DType::bf16));
}

}  // namespace

std::vector<Check> layer_checks() {
  std::vector<Check> checks{
      {"layers", "linear bf16", [](Backend& backend) { return plain(backend, true); }},
      {"layers", "linear bf16 without bias",
       [](Backend& backend) { return plain(backend, false); }}};
  for (const QuantFormat* format : {&kMxfp4Dual, &kMxfp8, &kMxfp4, &kInt8Row})
    checks.push_back({"layers", "linear " + std::string(format->name),
                      [format](Backend& backend) { return quantized(backend, *format); }});
  return checks;
}

}  // namespace mxdit::doctor

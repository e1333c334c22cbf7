#include "doctor/values.h"

#include <cmath>
#include <cstring>
#include <random>

#include "formats/element.h"

namespace mxdit::doctor {
namespace {

void store(Tensor& tensor, int64_t i, float value) {
  switch (tensor.dtype()) {
    case DType::bf16:
      tensor.as_mutable<bf16>()[i] = to_bf16(value);
      break;
    case DType::f16:
      tensor.as_mutable<f16>()[i] = to_f16(value);
      break;
    default:
      tensor.as_mutable<float>()[i] = value;
  }
}

// Relative error of one rounding.
double rounding(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0x1p-24;
}

// Sums of thousands of fp32 products in any order stay well below this part of their magnitudes.
constexpr double kSums = 0x1p-17;

}  // namespace

Tensor random_values(DType dtype, const Shape& shape, uint32_t seed, float scale) {
  std::mt19937 random(seed);
  Tensor tensor = Tensor::host(dtype, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    store(tensor, i, scale * (static_cast<float>(random() >> 8) / 8388608.0f - 1.0f));
  return tensor;
}

Tensor constant(DType dtype, const Shape& shape, float value) {
  Tensor tensor = Tensor::host(dtype, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) store(tensor, i, value);
  return tensor;
}

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    switch (tensor.dtype()) {
      case DType::f64:
        values[i] = tensor.as<double>()[i];
        break;
      case DType::f32:
        values[i] = static_cast<double>(tensor.as<float>()[i]);
        break;
      case DType::bf16:
        values[i] = static_cast<double>(to_float(tensor.as<bf16>()[i]));
        break;
      case DType::f16:
        values[i] = static_cast<double>(to_float(tensor.as<f16>()[i]));
        break;
      default:
        fail(ErrorKind::internal, "[doctor] values: expected a floating type, got ",
             name(tensor.dtype()));
    }
  }
  return values;
}

void expect_equal_bytes(const std::string& what, const Tensor& got, const Tensor& expected) {
  if (got.dtype() != expected.dtype() || got.shape() != expected.shape())
    fail(ErrorKind::internal, "[doctor] ", what, ": expected ", name(expected.dtype()), " ",
         expected.shape(), ", got ", name(got.dtype()), " ", got.shape());
  const size_t size = element_size(got.dtype());
  const auto* a = static_cast<const unsigned char*>(got.data());
  const auto* b = static_cast<const unsigned char*>(expected.data());
  int64_t different = 0, first = -1;
  for (int64_t i = 0; i < got.elements(); ++i) {
    if (std::memcmp(a + static_cast<size_t>(i) * size, b + static_cast<size_t>(i) * size, size) ==
        0)
      continue;
    if (different++ == 0) first = i;
  }
  if (different == 0) return;
  const auto bits = [&](const unsigned char* data) {
    uint64_t value = 0;
    std::memcpy(&value, data + static_cast<size_t>(first) * size, size);
    return value;
  };
  fail(ErrorKind::internal, "[doctor] ", what, " ", got.shape(), ": ", different, " of ",
       got.elements(), " elements differ, the first is ", first, ": expected bits ", bits(b),
       ", got ", bits(a));
}

void expect_equal_matrices(const std::string& what, const QuantizedMatrix& got,
                           const QuantizedMatrix& expected) {
  expect_equal_bytes(what + " elements", got.elements, expected.elements);
  if (expected.block_scale.defined())
    expect_equal_bytes(what + " block scales", got.block_scale, expected.block_scale);
  if (expected.scale.defined()) expect_equal_bytes(what + " scales", got.scale, expected.scale);
}

Bounded product(const Tensor& x, const Tensor& w, const Tensor* bias, DType out) {
  const int64_t rows = x.dim(0), columns = w.dim(0), depth = x.dim(1);
  const std::vector<double> added = bias == nullptr ? std::vector<double>() : values_of(*bias);
  Bounded result;
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < columns; ++n) {
      const double* a = x.as<double>() + m * depth;
      const double* b = w.as<double>() + n * depth;
      double sum = added.empty() ? 0.0 : added[static_cast<size_t>(n)];
      double magnitude = std::abs(sum);
      for (int64_t k = 0; k < depth; ++k) {
        const double term = a[k] * b[k];
        sum += term;
        magnitude += std::abs(term);
      }
      result.value.push_back(sum);
      result.bound.push_back(std::abs(sum) * rounding(out) + magnitude * kSums);
    }
  return result;
}

std::string expect_close(const std::string& what, const Tensor& got, const Bounded& expected) {
  const std::vector<double> values = values_of(got);
  if (values.size() != expected.value.size())
    fail(ErrorKind::internal, "[doctor] ", what, ": expected ", expected.value.size(),
         " elements, got ", got.shape());
  double worst = 0.0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(values[i] - expected.value[i]);
    if (!(error <= expected.bound[i]))  // NaN too
      fail(ErrorKind::internal, "[doctor] ", what, " ", got.shape(), " element ", i, ": expected ",
           expected.value[i], " within ", expected.bound[i], ", got ", values[i]);
    if (expected.bound[i] > 0.0) worst = std::max(worst, error / expected.bound[i]);
  }
  return "off by " + std::to_string(static_cast<int>(std::ceil(worst * 100.0))) +
         "% of the bound at most";
}

}  // namespace mxdit::doctor

// For tests of methods: a checkpoint of a few tensors, layers made from it by key, and what their
// output has to be.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "formats/reference.h"
#include "io/expect_error.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "quantization/registry.h"

namespace mxdit {

using Tensors = std::map<std::string, Tensor>;

inline Tensor bytes_tensor(DType dtype, const Shape& shape, const std::vector<uint8_t>& bytes) {
  Tensor tensor = Tensor::host(dtype, shape);
  if (bytes.size() == 1)
    std::memset(tensor.mutable_data(), bytes[0], tensor.bytes());
  else
    std::memcpy(tensor.mutable_data(), bytes.data(), tensor.bytes());
  return tensor;
}

// `values` in f32, bf16 or f16; one value fills the tensor.
inline Tensor float_tensor(DType dtype, const Shape& shape, const std::vector<float>& values) {
  Tensor tensor = Tensor::host(dtype, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = values[values.size() == 1 ? 0 : static_cast<size_t>(i)];
    if (dtype == DType::f32)
      tensor.as_mutable<float>()[i] = value;
    else
      tensor.as_mutable<uint16_t>()[i] =
          dtype == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
  }
  return tensor;
}

// About normal, with an outlier here and there, so that blocks differ in size.
inline Tensor random_tensor(DType dtype, const Shape& shape, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (float& value : values) {
    value = -6.0f;
    for (int i = 0; i < 12; ++i) value += static_cast<float>(generator() >> 8) * 0x1p-24f;
    if (generator() % 97 == 0) value *= 20.0f;
  }
  return float_tensor(dtype, shape, values);
}

// Each output against sum_k x w + bias in double. Sums may be taken in any order, in fp32: K
// products and additions of relative error 2^-24, and for each of G groups the product of two
// scales, its product with the sum, and an addition; at the end a scale and the bias. So
//   |got - exact| <= (2 K + 3 G + 3) 2^-24 S,   S = |bias| + sum_k |x w|.
inline void expect_product(const Tensor& got, const QuantizedMatrix& x, const QuantizedMatrix& w,
                           const Tensor* bias = nullptr) {
  ASSERT_EQ(got.dtype(), DType::f32);
  ASSERT_EQ(got.shape(), (Shape{x.rows, w.rows}));
  const Tensor a = reference::dequantize(x), b = reference::dequantize(w);
  const int64_t groups = std::max(x.format->groups(x.columns), int64_t{1});
  const double unit = static_cast<double>(2 * x.columns + 3 * groups + 3) * 0x1p-24;
  for (int64_t m = 0; m < x.rows; ++m)
    for (int64_t n = 0; n < w.rows; ++n) {
      double exact = bias == nullptr ? 0.0 : static_cast<double>(bias->as<float>()[n]);
      double sum = std::fabs(exact);
      for (int64_t k = 0; k < x.columns; ++k) {
        const double term = a.as<double>()[m * x.columns + k] * b.as<double>()[n * x.columns + k];
        exact += term;
        sum += std::fabs(term);
      }
      EXPECT_NEAR(got.as<float>()[m * w.rows + n], exact, unit * sum) << m << ", " << n;
    }
}

inline QuantizedMatrix quantized(const Tensor& x, const QuantFormat& format, float scale = 0.0f) {
  QuantizeOptions options;
  options.static_scale = scale;
  return reference::quantize(x, format, options);
}

class LayerTest : public ::testing::Test {
 protected:
  void write(const Tensors& tensors) {
    weights_.reset();
    write_safetensors(file(), tensors);
    weights_.emplace(WeightStore::open(file()));
  }
  std::filesystem::path file() const { return folder_ / "model.safetensors"; }

  // `declaration`: JSON, said to be of "config.json"; empty: the key alone.
  std::unique_ptr<QuantConfig> config(const std::string& key, const std::string& declaration = "") {
    ConfigArguments arguments;
    if (!declaration.empty()) {
      declarations_.push_back(std::make_unique<Json>(parse_json(declaration, "config.json")));
      arguments.declaration = declarations_.back().get();
      arguments.declared_in = "config.json";
    }
    arguments.weights = &*weights_;
    arguments.ignored_layers = ignored_;
    arguments.cache_folder = cache_;
    return find_quantization_key(key, "--quantization").make(arguments);
  }
  LinearSource source(const std::string& layer) const { return {&*weights_, layer}; }

  std::unique_ptr<PreparedLinear> prepare(const QuantConfig& configuration,
                                          const std::string& layer, int64_t out, int64_t in) {
    const LinearPlan plan = configuration.plan(layer, out, in);
    return plan.method->prepare(*backend_, source(layer), out, in);
  }
  LinearInfo describe(const QuantConfig& configuration, const std::string& layer, int64_t out,
                      int64_t in) {
    const LinearPlan plan = configuration.plan(layer, out, in);
    return plan.method->describe(*backend_, source(layer), out, in);
  }
  Tensor run(const PreparedLinear& layer, const Tensor& x, const Tensor* bias = nullptr) {
    return backend_->to_host(
        layer.apply(*layer.encode(backend_->from_host(x)), bias, Activation::none));
  }

  // prepare() and, unless only values are wrong, describe() fail with this kind and text.
  void refuses(ErrorKind kind, const std::string& text, const std::string& key,
               const std::string& declaration, int64_t out, int64_t in, bool by_value = false) {
    SCOPED_TRACE(text);
    const std::string where = file().string();
    std::string full = text;
    if (const size_t at = full.find("FILE"); at != std::string::npos) full.replace(at, 4, where);
    const auto configuration = config(key, declaration);
    expect_error(kind, {full}, [&] { prepare(*configuration, "l", out, in); });
    if (by_value)
      describe(*configuration, "l", out, in);
    else
      expect_error(kind, {full}, [&] { describe(*configuration, "l", out, in); });
  }

  TemporaryFolder folder_;
  std::optional<WeightStore> weights_;
  std::vector<std::unique_ptr<Json>> declarations_;
  std::vector<std::string> ignored_;
  std::string cache_;
  std::unique_ptr<Backend> backend_ = make_backend("cpu", {1, ""});
};

}  // namespace mxdit

#include <cmath>
#include <random>

#include "conformance/cases.h"
#include "formats/element.h"

namespace mxdit::conformance {
namespace {

uint8_t random_code(DType dtype, std::mt19937& random) {
  // Below the codes of infinity and NaN, and of moderate size as scaled weights are.
  const uint32_t largest = dtype == DType::f8_e4m3 ? 0x48u : 0x40u;
  return static_cast<uint8_t>(random() % largest | (random() & 1u) << 7);
}

}  // namespace

Tensor random_tensor(DType dtype, const Shape& shape, uint32_t seed, float scale) {
  std::mt19937 random(seed);
  Tensor tensor = Tensor::host(dtype, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = scale * (static_cast<float>(random() >> 8) / 8388608.0f - 1.0f);
    switch (dtype) {
      case DType::f32:
        tensor.as_mutable<float>()[i] = value;
        break;
      case DType::bf16:
        tensor.as_mutable<bf16>()[i] = to_bf16(value);
        break;
      case DType::f16:
        tensor.as_mutable<f16>()[i] = to_f16(value);
        break;
      default:
        tensor.as_mutable<uint8_t>()[i] = random_code(dtype, random);
    }
  }
  return tensor;
}

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    switch (tensor.dtype()) {
      case DType::f32:
        values[i] = tensor.as<float>()[i];
        break;
      case DType::bf16:
        values[i] = to_float(tensor.as<bf16>()[i]);
        break;
      case DType::f16:
        values[i] = to_float(tensor.as<f16>()[i]);
        break;
      case DType::f8_e4m3:
        values[i] = e4m3_to_float(tensor.as<uint8_t>()[i]);
        break;
      case DType::f8_e5m2:
        values[i] = e5m2_to_float(tensor.as<uint8_t>()[i]);
        break;
      default:
        values[i] = NAN;
    }
  }
  return values;
}

double rounding(DType type, double value) {
  const double relative = type == DType::bf16 ? 1.0 / 256 : type == DType::f16 ? 1.0 / 2048 : kUnit;
  const double smallest = type == DType::f16 ? 0x1p-25 : 1e-40;
  return std::abs(value) * relative * (1.0 + 1e-6) + smallest;
}

double apply(Activation act, double x) {
  switch (act) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    case Activation::gelu_tanh:
      return 0.5 * x * (1.0 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case Activation::gelu_erf:
      return 0.5 * x * (1.0 + std::erf(x * 0.7071067811865476));
  }
  return x;
}

double apply_bound(Activation act, double x, double bound) {
  if (act == Activation::none) return bound;
  // The derivatives of all three stay below 1.13. Evaluation: silu costs exp (2 ulp, that is 4 u), a
  // sum and a quotient, all relative; in the gelus 1 + tanh or 1 + erf may cancel, which leaves
  // tanh's or erf's 2 ulp of 1, halved, times |x|.
  const double value = std::abs(apply(act, x));
  const double evaluation = act == Activation::silu ? 7.0 * value : 4.0 * (std::abs(x) + value);
  return 1.13 * bound + evaluation * kUnit;
}

double apply_bound(Activation act, double x, double bound, DType type) {
  if (act == Activation::none) return bound;
  return apply_bound(act, x, bound + rounding(type, std::abs(x) + bound));
}

}  // namespace mxdit::conformance

#include "backend/cpu/exact/elements.h"

#include <cmath>
#include <numbers>

#include "formats/element.h"

namespace mxdit::cpu::exact {
namespace {

template <typename T, typename Decode>
void widen(const Tensor& x, int64_t begin, int64_t count, double* out, Decode decode) {
  const T* from = static_cast<const T*>(x.data()) + begin;
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<double>(decode(from[i]));
}

}  // namespace

void load(const Tensor& x, int64_t begin, int64_t count, double* out) {
  switch (x.dtype()) {
    case DType::f32:
      return widen<float>(x, begin, count, out, [](float value) { return value; });
    case DType::bf16:
      return widen<uint16_t>(x, begin, count, out, [](uint16_t v) { return to_float(bf16{v}); });
    case DType::f16:
      return widen<uint16_t>(x, begin, count, out, [](uint16_t v) { return to_float(f16{v}); });
    case DType::f8_e4m3:
      return widen<uint8_t>(x, begin, count, out, e4m3_to_float);
    case DType::f8_e5m2:
      return widen<uint8_t>(x, begin, count, out, e5m2_to_float);
    default:
      fail(ErrorKind::unsupported, "[backend] element type: expected F32, BF16, F16, F8_E4M3 or ",
           "F8_E5M2, got ", mxdit::name(x.dtype()));
  }
}

void store(float value, Tensor& out, int64_t index) {
  if (out.dtype() == DType::f32)
    out.as_mutable<float>()[index] = value;
  else
    out.as_mutable<uint16_t>()[index] =
        out.dtype() == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
}

float round_to(DType type, float value) {
  if (type == DType::bf16) return to_float(to_bf16(value));
  return type == DType::f16 ? to_float(to_f16(value)) : value;
}

double apply(Activation act, double x) {
  switch (act) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    case Activation::gelu_tanh: {
      const double root = std::sqrt(2.0 / std::numbers::pi);
      return 0.5 * x * (1.0 + std::tanh(root * (x + 0.044715 * x * x * x)));
    }
    case Activation::gelu_erf:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
  }
  return x;
}

}  // namespace mxdit::cpu::exact

// Quantized products against double arithmetic on the decoded operands, and the encoding itself for
// the benchmark (quantized_test.cc compares it to the bit).
#include <algorithm>
#include <cmath>
#include <memory>

#include "conformance/cases.h"
#include "core/error.h"
#include "formats/reference.h"

namespace mxdit::conformance {
namespace {

constexpr int64_t kGroup = 512;

// Everything that can be said of one operand: element * block scale, exactly, and what scales it.
struct Operand {
  explicit Operand(const QuantizedMatrix& matrix)
      : columns(matrix.columns), format(*matrix.format) {
    QuantizedMatrix inner = matrix;
    inner.scale = Tensor();
    const Tensor exact = reference::dequantize(inner);
    values.assign(exact.as<double>(), exact.as<double>() + exact.elements());
    if (matrix.scale.defined()) {
      scales.assign(matrix.scale.as<float>(), matrix.scale.as<float>() + matrix.scale.elements());
      scale_count = matrix.scale.dim(1);
    }
    if (format.block_scale_type != DType::u8 || format.block == 0) return;
    codes = static_cast<const uint8_t*>(matrix.block_scale.data());
    code_count = matrix.block_scale.elements() / matrix.rows;
  }

  double value(int64_t row, int64_t k) const {
    return values[static_cast<size_t>(row * columns + k)];
  }
  double scale(int64_t row, int64_t k) const {
    if (scales.empty()) return 1.0;
    return scales[static_cast<size_t>(row * scale_count + (scale_count == 1 ? 0 : k / kGroup))];
  }
  // A power of two of which every element of this block is a multiple: half of E2M1's 2^code.
  double unit(int64_t row, int64_t k) const {
    if (codes == nullptr || format.element != &kE2m1) return 0.0;
    return std::ldexp(0.5, codes[row * code_count + k / format.block] - 127);
  }

  int64_t columns, scale_count = 1, code_count = 0;
  const QuantFormat& format;
  std::vector<double> values;
  std::vector<float> scales;
  const uint8_t* codes = nullptr;
};

// One output element. Roundings that a product of elements can meet on its way, each relative (u):
// - inside its group a chain of n FMAs, gamma_n of the group's sum of magnitudes. All products are
//   multiples of q, the least product of the two operands' units; if the magnitudes sum up to no
//   more than 2^24 q, every partial sum is a multiple of q of at most 24 bits: no rounding at all.
//   That is what the dual-level format is for; formats without units count as n.
// - the product of the two scales, its product with the group's sum: 2;
// - one addition for each of the G groups, and one for the bias.
void expect_element(const Operand& x, const Operand& w, int64_t m, int64_t n, double bias,
                    Activation act, DType type, Expectation& out) {
  const int64_t groups = (x.columns + kGroup - 1) / kGroup;
  const double outer = static_cast<double>(groups + 3);
  double value = bias, bound = gamma(outer) * std::abs(bias);
  for (int64_t begin = 0; begin < x.columns; begin += kGroup) {
    const int64_t end = std::min(begin + kGroup, x.columns);
    double sum = 0.0, magnitude = 0.0, unit = INFINITY;
    for (int64_t k = begin; k < end; ++k) {
      const double product = x.value(m, k) * w.value(n, k);
      sum += product;
      magnitude += std::abs(product);
      if (k % 32 == 0) unit = std::min(unit, x.unit(m, k) * w.unit(n, k));
    }
    const double scale = x.scale(m, begin) * w.scale(n, begin);
    const bool exact = magnitude <= unit * (1 << 24);
    value += sum * scale;
    bound += gamma(outer + (exact ? 0.0 : static_cast<double>(end - begin))) * magnitude *
             std::abs(scale);
  }
  out.add(apply(act, value), apply_bound(act, value, bound, type));
}

QuantizedMatrix encode(Backend& backend, const Tensor& x, const QuantFormat& format) {
  const int64_t rows = x.dim(0), columns = x.dim(1);
  QuantizedMatrix out = empty_matrix(backend, format, rows, columns);
  QuantizeOptions options;
  if (format.rule == ScaleRule::nv_block) options.static_scale = 1.0f / (448.0f * 6.0f);
  backend.quantize(x, options, out);
  return out;
}

}  // namespace

QuantizedMatrix empty_matrix(Backend& backend, const QuantFormat& format, int64_t rows,
                             int64_t columns) {
  QuantizedMatrix out{&format, rows, columns, {}, {}, {}};
  out.elements = backend.empty(format.element->storage, format.elements_shape(rows, columns));
  if (format.block != 0)
    out.block_scale =
        backend.empty(format.block_scale_type, format.block_scale_shape(rows, columns));
  if (format.has_scale()) out.scale = backend.empty(DType::f32, format.scale_shape(rows, columns));
  return out;
}

Case quantized_linear_case(const QuantizedLinearShape& s) {
  const double m = static_cast<double>(s.m), n = static_cast<double>(s.n),
               k = static_cast<double>(s.k);
  return {
      .name = detail::concat("quantized_linear/", s.m, "x", s.n, "x", s.k, "/", s.x->name,
                             s.x_scale ? "" : "_unscaled", "/", s.weight->name, "/", name(s.out),
                             s.bias ? "/bias" : "", "/act", static_cast<int>(s.act)),
      .flops = 2.0 * m * n * k,
      .bytes = static_cast<double>(s.x->bytes(s.m, s.k) + s.weight->bytes(s.n, s.k)) +
               m * n * static_cast<double>(element_size(s.out)),
      .make = [s](Backend& backend) {
        QuantizedMatrix x = encode(backend, random_tensor(DType::bf16, {s.m, s.k}, 1), *s.x);
        if (!s.x_scale) x.scale = Tensor();
        const QuantizedMatrix w =
            encode(backend, random_tensor(DType::bf16, {s.n, s.k}, 2), *s.weight);
        const Tensor bias = random_tensor(DType::f32, {s.n}, 3);
        const auto weight = backend.prepare_quantized(w);
        Tensor out = backend.empty(s.out, {s.m, s.n});
        Instance instance;
        instance.out = out;
        instance.run = [=, &backend]() mutable {
          backend.quantized_linear(x, *weight, s.bias ? &bias : nullptr, s.act, out);
        };
        instance.expected = [=] {
          const Operand left(x), right(w);
          Expectation expected;
          for (int64_t i = 0; i < s.m; ++i)
            for (int64_t j = 0; j < s.n; ++j)
              expect_element(left, right, i, j, s.bias ? bias.as<float>()[j] : 0.0, s.act,
                             s.out, expected);
          return expected;
        };
        return instance;
      }};
}

Case quantize_case(int64_t rows, int64_t columns, const QuantFormat& format, DType type) {
  const double elements = static_cast<double>(rows * columns);
  return {
      .name = detail::concat("quantize/", rows, "x", columns, "/", format.name, "/", name(type)),
      .flops = 0.0,
      .bytes = 2.0 * elements,
      .make = [=, &format](Backend& backend) {
        const Tensor x = random_tensor(type, {rows, columns}, 50);
        QuantizedMatrix out = encode(backend, x, format);
        QuantizeOptions options;
        options.static_scale = format.rule == ScaleRule::nv_block ? 1.0f / 2688.0f : 0.0f;
        Instance instance;
        instance.out = out.elements;
        instance.run = [=, &backend]() mutable { backend.quantize(x, options, out); };
        return instance;
      }};
}

}  // namespace mxdit::conformance

#include <algorithm>
#include <cmath>

#include "conformance/cases.h"
#include "core/error.h"

namespace mxdit::conformance {
namespace {

using Values = std::vector<double>;

// Inputs of a row case: x and y in the case's type, and fp32 vectors.
struct Rows {
  int64_t rows, columns;
  Tensor x, y, gain, bias, gates;

  Rows(int64_t r, int64_t c, DType type)
      : rows(r),
        columns(c),
        x(random_tensor(type, {1, r, c}, 20, 4.0f)),
        y(random_tensor(type, {1, r, c}, 21)),
        gain(random_tensor(DType::f32, {c}, 22)),
        bias(random_tensor(DType::f32, {c}, 23)),
        gates(random_tensor(DType::f32, {1, r, c}, 24)) {}
  // The same on a device.
  Rows(Backend& backend, const Rows& host) : Rows(host) {
    for (Tensor* tensor : {&x, &y, &gain, &bias, &gates}) *tensor = backend.from_host(*tensor);
  }
};

using Call = std::function<void(Backend&, const Rows&, Tensor&)>;
// Appends the expectation of one row: x, y, gain, bias, gate row.
struct Row {
  const double *x, *y, *gain, *bias, *gate;
  int64_t n;
};
using RowExpectation = std::function<void(const Row&, Expectation&)>;

Case row_case(const std::string& op, const Rows& in, Call call, RowExpectation expect) {
  const double elements = static_cast<double>(in.rows * in.columns);
  return {.name = detail::concat(op, "/", in.rows, "x", in.columns, "/", name(in.x.dtype())),
          .flops = elements,
          .bytes = 2.0 * elements * static_cast<double>(element_size(in.x.dtype())),
          .make = [=](Backend& backend) {
            Instance instance;
            Tensor out = backend.empty(in.x.dtype(), in.x.shape());
            instance.out = out;
            const Rows held(backend, in);
            instance.run = [=, &backend]() mutable { call(backend, held, out); };
            instance.expected = [=] {
              const Values x = values_of(in.x), y = values_of(in.y), gain = values_of(in.gain),
                           bias = values_of(in.bias), gates = values_of(in.gates);
              Expectation expected;
              for (int64_t r = 0; r < in.rows; ++r) {
                const int64_t at = r * in.columns;
                expect({x.data() + at, y.data() + at, gain.data(), bias.data(), gates.data() + at,
                        in.columns},
                       expected);
              }
              return expected;
            };
            return instance;
          }};
}

// (x - mean) / sqrt(var + eps) * gain + bias. The mean is wrong by dm <= gamma_n mean|x|. Since the
// deviations sum to zero, dm changes the variance by dm^2 only; the sum of squares adds gamma_{n+3}
// and root, division and products a few roundings more, all relative to the normalized value.
void normalized_row(const Row& row, double eps, const double* gain, double offset,
                    const double* bias, Expectation& out) {
  const double n = static_cast<double>(row.n);
  double mean = 0.0, magnitude = 0.0, variance = 0.0;
  for (int64_t c = 0; c < row.n; ++c) mean += row.x[c] / n, magnitude += std::abs(row.x[c]) / n;
  for (int64_t c = 0; c < row.n; ++c) variance += (row.x[c] - mean) * (row.x[c] - mean) / n;
  const double factor = 1.0 / std::sqrt(variance + eps);
  const double mean_error = gamma(n + 1) * magnitude;
  for (int64_t c = 0; c < row.n; ++c) {
    const double y = (row.x[c] - mean) * factor;
    const double y_error =
        factor * (mean_error + kUnit * std::abs(row.x[c] - mean)) +
        std::abs(y) * (gamma(n + 10) + 0.5 * mean_error * mean_error * factor * factor);
    const double g = gain == nullptr ? 1.0 : gain[c] + offset;
    const double b = bias == nullptr ? 0.0 : bias[c];
    out.add(y * g + b,
            y_error * std::abs(g) + gamma(4) * (std::abs(y) * (std::abs(g) + 1.0) + std::abs(b)));
  }
}

double squares(const Row& row) {
  double sum = 0.0;
  for (int64_t c = 0; c < row.n; ++c) sum += row.x[c] * row.x[c];
  return sum;
}

void scaled_row(const Row& row, double factor, Activation act, Expectation& out) {
  for (int64_t c = 0; c < row.n; ++c) {
    const double value = row.x[c] * factor * row.gain[c];
    // n products summed, then mean, root, division and two products.
    const double bound = gamma(static_cast<double>(row.n) + 10) * std::abs(value);
    out.add(apply(act, value), apply_bound(act, value, bound));
  }
}

void add_norms(const Rows& in, std::vector<Case>& cases) {
  constexpr float kEps = 1e-6f;
  cases.push_back(row_case(
      "layer_norm", in,
      [](Backend& b, const Rows& r, Tensor& out) {
        b.layer_norm(r.x, &r.gain, &r.bias, kEps, out);
      },
      [](const Row& row, Expectation& e) {
        normalized_row(row, kEps, row.gain, 0.0, row.bias, e);
      }));
  cases.push_back(row_case(
      "layer_norm_plain", in,
      [](Backend& b, const Rows& r, Tensor& out) {
        b.layer_norm(r.x, nullptr, nullptr, kEps, out);
      },
      [](const Row& row, Expectation& e) { normalized_row(row, kEps, nullptr, 0.0, nullptr, e); }));
  cases.push_back(row_case(
      "norm_modulate", in,
      [](Backend& b, const Rows& r, Tensor& out) {
        b.norm_modulate(r.x, r.bias.reshape({1, 1, r.columns}), r.gain.reshape({1, 1, r.columns}),
                        kEps, out);
      },
      [](const Row& row, Expectation& e) {
        normalized_row(row, kEps, row.gain, 1.0, row.bias, e);
      }));
  cases.push_back(row_case(
      "norm_modulate_per_row", in,
      [](Backend& b, const Rows& r, Tensor& out) {
        b.norm_modulate(r.x, r.gates, r.gates, kEps, out);
      },
      [](const Row& row, Expectation& e) {
        normalized_row(row, kEps, row.gate, 1.0, row.gate, e);
      }));
  cases.push_back(row_case(
      "rms_norm", in,
      [](Backend& b, const Rows& r, Tensor& out) { b.rms_norm(r.x, r.gain, kEps, out); },
      [](const Row& row, Expectation& e) {
        scaled_row(row, 1.0 / std::sqrt(squares(row) / static_cast<double>(row.n) + kEps),
                   Activation::none, e);
      }));
  for (const Activation act : {Activation::none, Activation::silu})
    cases.push_back(row_case(
        act == Activation::silu ? "channel_norm_silu" : "channel_norm", in,
        [act](Backend& b, const Rows& r, Tensor& out) { b.channel_norm(r.x, r.gain, act, 0, out); },
        [act](const Row& row, Expectation& e) {
          const double norm = std::max(std::sqrt(squares(row)), 1e-12);
          scaled_row(row, std::sqrt(static_cast<double>(row.n)) / norm, act, e);
        }));
}

void add_elementwise(const Rows& in, std::vector<Case>& cases) {
  cases.push_back(row_case(
      "gate_add", in,
      [](Backend& b, const Rows& r, Tensor& out) {
        b.gate_add(r.x, r.y, r.bias.reshape({1, 1, r.columns}), out);
      },
      [](const Row& row, Expectation& e) {
        for (int64_t c = 0; c < row.n; ++c) {
          const double product = row.y[c] * row.bias[c];
          e.add(row.x[c] + product, gamma(2) * (std::abs(row.x[c]) + std::abs(product)));
        }
      }));
  cases.push_back(row_case(
      "add_suffix_f32", in, [](Backend& b, const Rows& r, Tensor& out) { b.add(r.x, r.bias, out); },
      [](const Row& row, Expectation& e) {
        for (int64_t c = 0; c < row.n; ++c) {
          const double sum = row.x[c] + row.bias[c];
          e.add(sum, kUnit * std::abs(sum));
        }
      }));
  cases.push_back(row_case(
      "add", in, [](Backend& b, const Rows& r, Tensor& out) { b.add(r.x, r.y, out); },
      [](const Row& row, Expectation& e) {
        for (int64_t c = 0; c < row.n; ++c) {
          const double sum = row.x[c] + row.y[c];
          e.add(sum, kUnit * std::abs(sum));
        }
      }));
  cases.push_back(row_case(
      "linear_combination", in,
      [](Backend& b, const Rows& r, Tensor& out) {
        const float coefficients[] = {0.75f, -1.5f, 3.0f};
        const Tensor* inputs[] = {&r.x, &r.gates, &r.y};
        b.linear_combination(coefficients, inputs, out);
      },
      [](const Row& row, Expectation& e) {
        for (int64_t c = 0; c < row.n; ++c) {
          const double terms[] = {0.75 * row.x[c], -1.5 * row.gate[c], 3.0 * row.y[c]};
          e.add(terms[0] + terms[1] + terms[2],
                gamma(4) * (std::abs(terms[0]) + std::abs(terms[1]) + std::abs(terms[2])));
        }
      }));
  for (const Activation act : {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf})
    for (const bool gated : {false, true})
      cases.push_back(row_case(
          detail::concat("activate", static_cast<int>(act), gated ? "_gated" : ""), in,
          [=](Backend& b, const Rows& r, Tensor& out) {
            b.activate(act, r.x, gated ? &r.y : nullptr, out);
          },
          [=](const Row& row, Expectation& e) {
            for (int64_t c = 0; c < row.n; ++c) {
              const double y = gated ? row.y[c] : 1.0, value = apply(act, row.x[c]);
              e.add(value * y,
                    apply_bound(act, row.x[c], 0.0) * std::abs(y) + kUnit * std::abs(value * y));
            }
          }));
}

// x [2, rows, 3, columns made even]; each output is two products and one sum.
Case rope_case(const Rows& in) {
  const int64_t rows = in.rows, half = (in.columns + 1) / 2, d = 2 * half;
  const DType type = in.x.dtype();
  return {
      .name = detail::concat("rope/", rows, "x", d, "/", name(type)),
      .flops = 3.0 * static_cast<double>(6 * rows * d),
      .bytes = 2.0 * static_cast<double>(6 * rows * d) * static_cast<double>(element_size(type)),
      .make = [=](Backend& backend) {
        const Tensor x = random_tensor(type, {2, rows, 3, d}, 30);
        const Tensor cos = random_tensor(DType::f32, {rows, half}, 31);
        const Tensor sin = random_tensor(DType::f32, {rows, half}, 32);
        Instance instance;
        const Tensor held = backend.from_host(x);
        const Tensor cosines = backend.from_host(cos), sines = backend.from_host(sin);
        Tensor out = backend.empty(type, x.shape());
        instance.out = out;
        instance.run = [=, &backend]() mutable { backend.rope(held, cosines, sines, out); };
        instance.expected = [=] {
          const Values v = values_of(x), c = values_of(cos), s = values_of(sin);
          Expectation e;
          for (size_t i = 0; i < v.size(); i += 2) {
            const size_t row = i / static_cast<size_t>(3 * d) % static_cast<size_t>(rows);
            const size_t at = row * static_cast<size_t>(half) + i % static_cast<size_t>(d) / 2;
            const double a = v[i] * c[at], b = v[i + 1] * s[at];
            const double f = v[i + 1] * c[at], g = v[i] * s[at];
            e.add(a - b, gamma(2) * (std::abs(a) + std::abs(b)));
            e.add(f + g, gamma(2) * (std::abs(f) + std::abs(g)));
          }
          return e;
        };
        return instance;
      }};
}

}  // namespace

std::vector<Case> row_cases(int64_t rows, int64_t columns, DType type) {
  const Rows in(rows, columns, type);
  std::vector<Case> cases;
  add_norms(in, cases);
  add_elementwise(in, cases);
  cases.push_back(rope_case(in));
  return cases;
}

}  // namespace mxdit::conformance

#include <algorithm>
#include <cmath>
#include <memory>

#include "conformance/cases.h"
#include "core/error.h"

namespace mxdit::conformance {
namespace {

std::string label(DType type) {
  return std::string(name(type));
}

// sum_i a_i b_i + bias with its bound. Any order of summation of n products, with or without FMA,
// gives |error| <= gamma_n sum |a_i b_i| (Higham 3.1); the bias adds one more rounding.
struct Dot {
  double value = 0.0, magnitude = 0.0;
  int64_t count = 0;

  void add(double a, double b) {
    value += a * b;
    magnitude += std::abs(a * b);
    ++count;
  }
  void finish(double bias, Activation act, DType type, Expectation& out) const {
    const double bound = gamma(static_cast<double>(count + 2)) * (magnitude + std::abs(bias));
    out.add(apply(act, value + bias), apply_bound(act, value + bias, bound, type));
  }
};

Expectation linear_expectation(const LinearShape& s, const Tensor& x, const Tensor& w,
                               const Tensor& bias) {
  const auto a = values_of(x), b = values_of(w), c = values_of(bias);
  Expectation expected;
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      Dot dot;
      for (int64_t k = 0; k < s.k; ++k)
        dot.add(a[static_cast<size_t>(i * s.k + k)], b[static_cast<size_t>(j * s.k + k)]);
      dot.finish(s.bias ? c[static_cast<size_t>(j)] : 0.0, s.act, s.x, expected);
    }
  }
  return expected;
}

}  // namespace

Case linear_case(const LinearShape& s) {
  const double m = static_cast<double>(s.m), n = static_cast<double>(s.n),
               k = static_cast<double>(s.k);
  const double activation_size = static_cast<double>(element_size(s.x));
  return {.name = detail::concat("linear/", s.m, "x", s.n, "x", s.k, "/", label(s.x), "/",
                                 label(s.weight), s.bias ? "/bias" : "", "/act",
                                 static_cast<int>(s.act)),
          .flops = 2.0 * m * n * k,
          .bytes = (m * k + m * n) * activation_size +
                   n * k * static_cast<double>(element_size(s.weight)),
          .make = [s](Backend& backend) {
            const Tensor x = random_tensor(s.x, {s.m, s.k}, 1);
            const Tensor w = random_tensor(s.weight, {s.n, s.k}, 2);
            const Tensor bias = random_tensor(DType::f32, {s.n}, 3);
            const auto weight = backend.prepare_linear(backend.from_host(w));
            Tensor out = backend.empty(s.x, {s.m, s.n});
            Instance instance;
            instance.out = out;
            instance.run = [=, &backend]() mutable {
              backend.linear(x, *weight, s.bias ? &bias : nullptr, s.act, out);
            };
            instance.expected = [=] { return linear_expectation(s, x, w, bias); };
            return instance;
          }};
}

namespace {

struct ConvExtents {
  int64_t frames, height, width;  // of the output
};

ConvExtents output_of(const ConvShape& s) {
  const Conv3dParams& p = s.params;
  return {(s.frames + s.history + p.zero_frames - s.kt) / p.stride_t + 1,
          (s.height + p.pad_top + p.pad_bottom - s.kh) / p.stride_h + 1,
          (s.width + p.pad_left + p.pad_right - s.kw) / p.stride_w + 1};
}

// The value of input channel `c` under (t, y, x) of the padded input.
double padded_input(const ConvShape& s, const std::vector<double>& history,
                    const std::vector<double>& x, int64_t t, int64_t y, int64_t col, int64_t c) {
  t -= s.params.zero_frames;
  if (t < 0 || y < 0 || y >= s.height || col < 0 || col >= s.width) return 0.0;
  const std::vector<double>& frames = t < s.history ? history : x;
  if (t >= s.history) t -= s.history;
  return frames[static_cast<size_t>(((t * s.height + y) * s.width + col) * s.in + c)];
}

Expectation conv_expectation(const ConvShape& s, const Tensor& x_tensor,
                             const Tensor& history_tensor, const Tensor& weight,
                             const Tensor& bias_tensor) {
  const auto x = values_of(x_tensor), history = values_of(history_tensor), w = values_of(weight),
             bias = values_of(bias_tensor);
  const ConvExtents out = output_of(s);
  const Conv3dParams& p = s.params;
  Expectation expected;
  for (int64_t pixel = 0; pixel < out.frames * out.height * out.width; ++pixel) {
    const int64_t ot = pixel / (out.height * out.width), oy = pixel / out.width % out.height,
                  ox = pixel % out.width;
    for (int64_t o = 0; o < s.out; ++o) {
      Dot dot;
      for (int64_t i = 0; i < s.in * s.kt * s.kh * s.kw; ++i) {
        const int64_t dx = i % s.kw, dy = i / s.kw % s.kh, dt = i / (s.kw * s.kh) % s.kt,
                      c = i / (s.kw * s.kh * s.kt);
        dot.add(padded_input(s, history, x, ot * p.stride_t + dt, oy * p.stride_h + dy - p.pad_top,
                             ox * p.stride_w + dx - p.pad_left, c),
                w[static_cast<size_t>(o * s.in * s.kt * s.kh * s.kw + i)]);
      }
      dot.finish(bias[static_cast<size_t>(o)], Activation::none, s.x, expected);
    }
  }
  return expected;
}

}  // namespace

Case conv_case(const ConvShape& s) {
  const ConvExtents o = output_of(s);
  const double pixels = static_cast<double>(o.frames * o.height * o.width);
  const double size = static_cast<double>(element_size(s.x));
  return {.name = detail::concat("conv3d/", s.frames, "+", s.history, "+", s.params.zero_frames,
                                 "x", s.height, "x", s.width, "/", s.in, "to", s.out, "/k", s.kt,
                                 s.kh, s.kw, "/s", s.params.stride_t, s.params.stride_h,
                                 s.params.stride_w, "/", label(s.x), "/", label(s.weight)),
          .flops = 2.0 * pixels * static_cast<double>(s.out * s.in * s.kt * s.kh * s.kw),
          .bytes = size * (static_cast<double>(s.frames * s.height * s.width * s.in) +
                           pixels * static_cast<double>(s.out)),
          .make = [s, o](Backend& backend) {
            const Tensor x = random_tensor(s.x, {s.frames, s.height, s.width, s.in}, 4);
            const Tensor history = random_tensor(s.x, {s.history, s.height, s.width, s.in}, 5);
            const Tensor w = random_tensor(s.weight, {s.out, s.in, s.kt, s.kh, s.kw}, 6);
            const Tensor bias = random_tensor(DType::f32, {s.out}, 7);
            const auto weight = backend.prepare_conv3d(w, s.x);
            Tensor out = backend.empty(s.x, {o.frames, o.height, o.width, s.out});
            Instance instance;
            instance.out = out;
            instance.run = [=, &backend]() mutable {
              const Tensor clips[] = {history, x};
              const size_t none = s.history > 0 ? 0 : 1;
              backend.conv3d({clips + none, 2 - none}, *weight, &bias, s.params, {}, out);
            };
            instance.expected = [=] { return conv_expectation(s, x, history, w, bias); };
            return instance;
          }};
}

namespace {

struct AttentionInputs {
  Tensor q, k, v, bias;
};

// One output row: out[d] = sum_j p_j v_jd / sum_j p_j with p_j = exp(l_j - max). A logit is wrong
// by at most e (gamma_{D+2} scale sum |q k| and one rounding for the bias); p_j is then wrong by 2
// e relative (its own and the maximum's), plus exp's few ulp. Numerator and denominator each sum up
// to Sk terms. To first order |error| <= sum_j p_j |v_jd| (2 * 2 e + 2 gamma_{Sk + 20}).
// In bf16 without a bias p_j may be rounded to bf16, before both sums, by 2^-8, and a short exp adds
// 2^-13: twice both of that (but see AttentionTest, which bounds the mean).
void attention_row(const AttentionShape& s, const std::vector<double>& q,
                   const std::vector<double>& k, const std::vector<double>& v,
                   const std::vector<double>& bias, int64_t b, int64_t i, int64_t h, float scale,
                   Expectation& out) {
  const int64_t keys = s.kv_length.empty() ? s.keys : s.kv_length[static_cast<size_t>(b)];
  const auto at = [&](int64_t length, int64_t position, int64_t d) {
    return static_cast<size_t>(((b * length + position) * s.heads + h) * s.dim + d);
  };
  std::vector<double> p(static_cast<size_t>(keys));
  double maximum = -INFINITY, logit_error = 0.0, sum = 0.0;
  for (int64_t j = 0; j < keys; ++j) {
    Dot dot;
    for (int64_t d = 0; d < s.dim; ++d)
      dot.add(scale * q[at(s.queries, i, d)], k[at(s.keys, j, d)]);
    const double added = s.bias ? bias[static_cast<size_t>((h * s.queries + i) * s.keys + j)] : 0.0;
    double& logit = p[static_cast<size_t>(j)];
    logit = dot.value + added;
    maximum = std::max(maximum, logit);
    logit_error = std::max(
        logit_error, gamma(static_cast<double>(s.dim + 3)) * (dot.magnitude + std::abs(added)));
  }
  for (double& value : p) sum += value = std::exp(value - maximum);
  const bool short_weights = s.type == DType::bf16 && !s.bias;
  const double relative = 4.0 * logit_error + 2.0 * gamma(static_cast<double>(keys + 20)) +
                          (short_weights ? 2.0 * (0x1p-8 + 0x1p-13) : 0.0);
  for (int64_t d = 0; d < s.dim; ++d) {
    double value = 0.0, magnitude = 0.0;
    for (int64_t j = 0; j < keys; ++j) {
      const double term = p[static_cast<size_t>(j)] * v[at(s.keys, j, d)];
      value += term;
      magnitude += std::abs(term);
    }
    out.add(keys == 0 ? 0.0 : value / sum, keys == 0 ? 0.0 : magnitude / sum * relative);
  }
}

Expectation attention_expectation(const AttentionShape& s, const AttentionInputs& in, float scale) {
  const auto q = values_of(in.q), k = values_of(in.k), v = values_of(in.v),
             bias = values_of(in.bias);
  Expectation expected;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t h = 0; h < s.heads; ++h)
        attention_row(s, q, k, v, bias, b, i, h, scale, expected);
  return expected;
}

}  // namespace

Case attention_case(const AttentionShape& s) {
  const double pairs = static_cast<double>(s.batch * s.heads * s.queries * s.keys);
  const double size = static_cast<double>(element_size(s.type));
  const float scale = 2.0f / std::sqrt(static_cast<float>(s.dim));
  return {.name = detail::concat("attention/", s.batch, "x", s.queries, "x", s.keys, "x", s.heads,
                                 "x", s.dim, "/", label(s.type), s.bias ? "/bias" : "",
                                 s.kv_length.empty() ? "" : "/lengths"),
          .flops = 4.0 * pairs * static_cast<double>(s.dim),
          .bytes = size * static_cast<double>(2 * s.batch * (s.queries + s.keys) * s.heads * s.dim),
          .make = [s, scale](Backend& backend) {
            const AttentionInputs in = {
                random_tensor(s.type, {s.batch, s.queries, s.heads, s.dim}, 8, 3.0f),
                random_tensor(s.type, {s.batch, s.keys, s.heads, s.dim}, 9),
                random_tensor(s.type, {s.batch, s.keys, s.heads, s.dim}, 10),
                s.bias ? random_tensor(DType::f32, {s.heads, s.queries, s.keys}, 11)
                       : Tensor::host(DType::f32, {0})};
            Tensor out = backend.empty(s.type, in.q.shape());
            Instance instance;
            instance.out = out;
            instance.run = [=, &backend]() mutable {
              const AttentionParams params = {
                  .scale = scale, .bias = s.bias ? &in.bias : nullptr, .kv_length = s.kv_length};
              backend.attention(in.q, in.k, in.v, params, out);
            };
            instance.expected = [=] { return attention_expectation(s, in, scale); };
            return instance;
          }};
}

}  // namespace mxdit::conformance

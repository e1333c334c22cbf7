// The case table of the operators: conformance_test.cc checks every case on every kernel table, and
// bench/bench_ops.cc times cases of the same kinds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace mxdit::conformance {

// What exact arithmetic gives, and how far fp32 arithmetic may be from it before the rounding of
// the output. `value` may be NaN or infinite; the result has to be the same then.
struct Expectation {
  std::vector<double> value, bound;

  void add(double v, double b) {
    value.push_back(v);
    bound.push_back(b);
  }
};

// A case with its inputs on one back end.
struct Instance {
  std::function<void()> run;  // one call of the operator
  Tensor out;
  std::function<Expectation()> expected;  // naive loops in double
};

struct Case {
  std::string name;
  double flops, bytes;  // of one run: useful operations, least traffic
  std::function<Instance(Backend&)> make;
};

struct LinearShape {
  int64_t m, n, k;
  DType x, weight;
  bool bias = true;
  Activation act = Activation::none;
};
Case linear_case(const LinearShape& shape);

// x and weight are bf16 values, encoded by the back end.
struct QuantizedLinearShape {
  int64_t m, n, k;
  const QuantFormat *x, *weight;
  DType out;
  bool bias = true;
  Activation act = Activation::none;
  bool x_scale = true;  // false: x comes without its fp32 scales
};
Case quantized_linear_case(const QuantizedLinearShape& shape);
// For the benchmark: it expects nothing.
Case quantize_case(int64_t rows, int64_t columns, const QuantFormat& format, DType type);
// The parts of a matrix, uninitialised.
QuantizedMatrix empty_matrix(Backend& backend, const QuantFormat& format, int64_t rows,
                             int64_t columns);

struct ConvShape {
  int64_t frames, height, width, in, out;
  int64_t kt, kh, kw;
  DType x, weight;
  int64_t history = 0;
  Conv3dParams params = {};
};
Case conv_case(const ConvShape& shape);

struct AttentionShape {
  int64_t batch, queries, keys, heads, dim;
  DType type;
  bool bias = false;
  std::vector<int64_t> kv_length = {};
};
Case attention_case(const AttentionShape& shape);

// copy_strided, gather_rows and upsample2x.
std::vector<Case> copy_cases();

// Norms and elementwise operators, each on `rows` rows of `columns` elements.
std::vector<Case> row_cases(int64_t rows, int64_t columns, DType type);

// Every case of the conformance test.
std::vector<Case> all_cases();

// Deterministic values in (-1, 1), times `scale`, rounded to dtype; finite codes for 8-bit types.
Tensor random_tensor(DType dtype, const Shape& shape, uint32_t seed, float scale = 1.0f);
std::vector<double> values_of(const Tensor& tensor);

inline constexpr double kUnit = 1.0 / (1 << 24);  // u: half an ulp of fp32, relative
// gamma_n = n u / (1 - n u): n roundings in a row (Higham, Accuracy and Stability, 3.1).
inline double gamma(double n) {
  return n * kUnit / (1.0 - n * kUnit);
}

// Rounding to `type`: half an ulp, relative, or half the smallest subnormal.
double rounding(DType type, double value);

double apply(Activation act, double x);
// |apply(act, x + e) - apply(act, x)| for |e| <= bound, plus the error of evaluating act in fp32.
double apply_bound(Activation act, double x, double bound);
// The same behind a product, which may be rounded to `type` before act.
double apply_bound(Activation act, double x, double bound, DType type);

}  // namespace mxdit::conformance

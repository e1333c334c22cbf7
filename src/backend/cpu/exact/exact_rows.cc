// Norms over the last axis, and activations.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/exact/elements.h"
#include "backend/cpu/exact/exact_backend.h"

namespace mxdit::cpu::exact {
namespace {

constexpr int64_t kGrain = 16;

// How many rows of `columns` elements share one row of gains.
int64_t rows_per_gain(const Tensor& x, const Tensor& gains) {
  return std::max<int64_t>(1, gains.elements() == 0 ? 1 : x.elements() / gains.elements());
}

struct Affine {
  const float *gain, *bias;  // either may be null
  int64_t rows;              // of x that share one row of them
  float offset;              // added to gain, in fp32
  // Normalised values, their products with gain and the sums with bias are rounded to fp32 each, as
  // devices have it that multiply by a gain per row with an operator of its own.
  bool in_steps = false;
};

float affine_in_steps(double normalised, float gain, float bias) {
  const float product = static_cast<float>(normalised) * gain;
  return product + bias;
}

void normalise(ThreadPool& threads, const Tensor& x, const Affine& affine, float eps, Tensor& out) {
  const int64_t n = x.dim(-1), rows = x.elements() / n;
  threads.parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
    std::vector<double> values(static_cast<size_t>(n));
    for (int64_t row = begin; row < end; ++row) {
      load(x, row * n, n, values.data());
      double mean = 0.0, squares = 0.0;
      for (const double value : values) mean += value;
      mean /= static_cast<double>(n);
      for (const double value : values) squares += (value - mean) * (value - mean);
      const double deviation =
          std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps));
      const int64_t first = row / affine.rows * n;
      for (int64_t c = 0; c < n; ++c) {
        double value = (values[static_cast<size_t>(c)] - mean) / deviation;
        if (affine.in_steps) {
          store(affine_in_steps(value, affine.gain[first + c] + affine.offset,
                                affine.bias[first + c]),
                out, row * n + c);
          continue;
        }
        if (affine.gain != nullptr) value *= affine.gain[first + c] + affine.offset;
        if (affine.bias != nullptr) value += affine.bias[first + c];
        store(static_cast<float>(value), out, row * n + c);
      }
    }
  });
}

}  // namespace

void ExactBackend::layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                              Tensor& out) {
  const Affine affine{gain == nullptr ? nullptr : gain->as<float>(),
                      bias == nullptr ? nullptr : bias->as<float>(),
                      std::max<int64_t>(1, x.elements() / x.dim(-1)), 0.0f};
  normalise(threads(), x, affine, eps, out);
}

void ExactBackend::norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale,
                                 float eps, Tensor& out) {
  const bool per_token = scale.dim(1) > 1;
  normalise(threads(), x,
            {scale.as<float>(), shift.as<float>(), rows_per_gain(x, scale), 1.0f, per_token}, eps,
            out);
}

void ExactBackend::rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) {
  const int64_t n = x.dim(-1), rows = x.elements() / n;
  threads().parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
    std::vector<double> values(static_cast<size_t>(n));
    for (int64_t row = begin; row < end; ++row) {
      load(x, row * n, n, values.data());
      double squares = 0.0;
      for (const double value : values) squares += value * value;
      const double root = std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps));
      for (int64_t c = 0; c < n; ++c) {
        const double value = values[static_cast<size_t>(c)] * (1.0 / root);
        store(static_cast<float>(value * gain.as<float>()[c]), out, row * n + c);
      }
    }
  });
}

void ExactBackend::activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) {
  constexpr int64_t kElements = 1 << 12;
  threads().parallel_for(x.elements(), kElements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double value = 0.0, factor = 0.0;
      load(x, i, 1, &value);
      float result = static_cast<float>(apply(act, value));
      if (y != nullptr) {
        load(*y, i, 1, &factor);
        result *= static_cast<float>(factor);
      }
      store(result, out, i);
    }
  });
}

}  // namespace mxdit::cpu::exact

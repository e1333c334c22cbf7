#include <cmath>

#include "backend/cpu/scalar/elements.h"
#include "backend/cpu/scalar/kernels.h"

namespace mxdit::cpu::scalar {

void pack(const PackArgs& args) noexcept {
  for (int64_t first = 0, panel = 0; first < args.count; first += args.width, ++panel) {
    float* out = args.out + panel * args.panel_stride;
    for (int64_t r = 0; r < args.width; ++r)
      for (int64_t k = 0; k < args.k; ++k)
        out[k * args.width + r] =
            first + r < args.count
                ? args.scale * load(args.rows[first + r], args.type, args.offset + k)
                : 0.0f;
  }
}

void pack_columns(const PackArgs& args) noexcept {
  for (int64_t first = 0, panel = 0; first < args.count; first += args.width, ++panel) {
    float* out = args.out + panel * args.panel_stride;
    for (int64_t k = 0; k < args.k; ++k)
      for (int64_t r = 0; r < args.width; ++r)
        out[k * args.width + r] =
            first + r < args.count
                ? args.scale * load(args.rows[k], args.type, args.offset + first + r)
                : 0.0f;
  }
}

namespace {

// row_scale[row] * column_scale[column]; null scales are ones.
float outer_scale(const float* row_scale, int64_t row, const float* column_scale,
                  int64_t column) noexcept {
  const float scale = row_scale == nullptr ? 1.0f : row_scale[row];
  return column_scale == nullptr ? scale : scale * column_scale[column];
}

}  // namespace

void multiply(const MultiplyArgs& args) noexcept {
  for (int64_t j = 0; j < args.panels; ++j) {
    for (int64_t row = 0; row < args.rows; ++row) {
      const float* left = args.left + row / kMr * args.left_stride + row % kMr;
      const float* right = args.right + j * args.right_stride;
      float* product = args.product + j * args.product_stride + row * kNr;
      float sum[kNr] = {};
      for (int64_t k = 0; k < args.k; ++k)
        for (int c = 0; c < kNr; ++c) sum[c] += left[k * kMr] * right[k * kNr + c];
      for (int c = 0; c < kNr; ++c)
        product[c] =
            args.accumulate
                ? product[c] + sum[c] * outer_scale(args.row_scale, row * args.row_scale_stride,
                                                    args.column_scale, j * kNr + c)
                : sum[c];
    }
  }
}

void store(const StoreArgs& args) noexcept {
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t c = 0; c < args.columns; ++c) {
      float value = args.product[c / kNr * args.product_stride + row * kNr + c % kNr];
      if (args.row_scale != nullptr || args.column_scale != nullptr)
        value = value * outer_scale(args.row_scale, row, args.column_scale, c) + 0.0f;
      if (args.bias != nullptr) value += args.bias[c];
      store(args.out, args.out_type, row * args.out_stride + c, apply(args.function, value));
    }
  }
}

void store_transposed(const StoreTransposedArgs& args) noexcept {
  for (int64_t c = 0; c < args.columns; ++c) {
    for (int64_t row = 0; row < args.rows; ++row) {
      float value = args.product[row * kNr + c];
      if (args.divisor != nullptr) value = args.divisor[c] == 0.0f ? 0.0f : value / args.divisor[c];
      if (args.bias != nullptr) value += args.bias[row];
      store(args.out, args.out_type, c * args.out_stride + row, value);
    }
  }
}

void softmax(const SoftmaxArgs& args) noexcept {
  for (int lane = 0; lane < kNr; ++lane) {
    float maximum = args.maximum[lane], sum = 0.0f;
    for (int64_t key = 0; key < args.keys; ++key) {
      float& score = args.scores[key * kNr + lane];
      if (args.bias != nullptr) score += args.bias[key * kNr + lane];
      if (score > maximum) maximum = score;
    }
    // While every score is -infinity, exp(-inf - 0) keeps the row at zero instead of NaN.
    const float base = maximum == -INFINITY ? 0.0f : maximum;
    for (int64_t key = 0; key < args.keys; ++key) {
      float& score = args.scores[key * kNr + lane];
      score = std::exp(score - base);
      sum += score;
    }
    const float factor = std::exp(args.maximum[lane] - base);
    args.maximum[lane] = maximum;
    args.sum[lane] = args.sum[lane] * factor + sum;
    for (int64_t row = 0; row < args.rows; ++row) args.accumulated[row * kNr + lane] *= factor;
  }
}

}  // namespace mxdit::cpu::scalar

// The vector type of the AVX2 kernels and the operations that generic/ builds on.
#pragma once

#include <immintrin.h>

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::avx2 {
namespace {

#include "backend/cpu/generic/vector8.inc"

using F = F8;
typedef int I __attribute__((vector_size(32)));
constexpr int kWidth = 8;
// 6 x 16: twelve accumulators, two vectors of the right operand, one of the left.
constexpr int kMr = 6, kNr = 16;

MXDIT_INLINE F splat(float value) {
  return _mm256_set1_ps(value);
}
MXDIT_INLINE F load_floats(const float* data) {
  return _mm256_loadu_ps(data);
}
MXDIT_INLINE void store_floats(float* data, F value) {
  _mm256_storeu_ps(data, value);
}
MXDIT_INLINE F fma(F a, F b, F c) {
  return _mm256_fmadd_ps(a, b, c);
}
// b where a is NaN.
MXDIT_INLINE F maximum(F a, F b) {
  return _mm256_max_ps(a, b);
}
MXDIT_INLINE F root(F a) {
  return _mm256_sqrt_ps(a);
}

template <Element T>
MXDIT_INLINE F load(const void* data, int64_t index, int64_t lanes) {
  return lanes == kWidth ? load8<T>(data, index) : load8_some<T>(data, index, lanes);
}
template <Element T>
MXDIT_INLINE void store(void* data, int64_t index, F value, int64_t lanes) {
  if (lanes == kWidth)
    store8<T>(data, index, value);
  else
    store8_some<T>(data, index, value, lanes);
}

MXDIT_INLINE float sum_lanes(F a) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

// x0 x1 x2 x3 ... -> x1 x0 x3 x2 ...
MXDIT_INLINE F swap_pairs(F a) {
  return _mm256_permute_ps(a, 0xb1);
}
// `lanes` / 2 floats, each twice.
MXDIT_INLINE F load_twice(const float* data, int64_t lanes) {
  const F low = lanes == kWidth ? _mm256_castps128_ps256(_mm_loadu_ps(data))
                                : load8_some<Element::f32>(data, 0, lanes / 2);
  return _mm256_permutevar8x32_ps(low, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}
// a b - c in even lanes, a b + c in odd ones.
MXDIT_INLINE F multiply_subtract_add(F a, F b, F c) {
  return _mm256_fmaddsub_ps(a, b, c);
}

}  // namespace
}  // namespace mxdit::cpu::avx2

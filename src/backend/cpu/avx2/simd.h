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
// NaN stays.
MXDIT_INLINE F clamp(F x, float least, float most) {
  return _mm256_min_ps(splat(most), _mm256_max_ps(splat(least), x));
}
// a 2^n for whole n: in two halves, so that results may be subnormal or infinite.
MXDIT_INLINE F times_power_of_two(F a, F n) {
  const I whole = __builtin_convertvector(n, I), half = whole >> 1;
  return a * (F)((half + 127) << 23) * (F)((whole - half + 127) << 23);
}
// 1 / a for a >= 1; 0 from 2^125 on.
MXDIT_INLINE F reciprocal_or_zero(F a) {
  const F quotient = 1.0f / a;
  return a >= 0x1p125f ? splat(0.0f) : quotient;
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
MXDIT_INLINE int max_lanes(I a) {
  const __m256i wide = (__m256i)a;
  __m128i most = _mm_max_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4e));
  most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0xb1));
  return _mm_cvtsi128_si32(most);
}
// Rounded to f16 and widened again.
MXDIT_INLINE F round_half(F a) {
  return _mm256_cvtph_ps(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
// The low byte of every lane.
MXDIT_INLINE void store_bytes(uint8_t* out, I codes) {
  const __m256i low_bytes = _mm256_shuffle_epi8((__m256i)codes, _mm256_set1_epi32(0x0c080400));
  const __m256i joined =
      _mm256_permutevar8x32_epi32(low_bytes, _mm256_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(joined));
}
// Lanes of 4 bits, two a byte.
MXDIT_INLINE void store_nibbles(uint8_t* out, I codes) {
  const __m256i wide = (__m256i)codes;
  const __m256i pairs = _mm256_or_si256(wide, _mm256_srli_epi64(wide, 28));
  const __m256i bytes = _mm256_shuffle_epi8(pairs, _mm256_set1_epi32(0x0800));
  const uint32_t low = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0)) & 0xffffu;
  const uint32_t all = low | static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4)) << 16;
  __builtin_memcpy(out, &all, sizeof all);
}
// a b - c in even lanes, a b + c in odd ones.
MXDIT_INLINE F multiply_subtract_add(F a, F b, F c) {
  return _mm256_fmaddsub_ps(a, b, c);
}

}  // namespace
}  // namespace mxdit::cpu::avx2

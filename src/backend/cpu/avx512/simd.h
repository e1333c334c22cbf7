// The vector type of the AVX-512 kernels and the operations that generic/ builds on.
#pragma once

#include <immintrin.h>

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::avx512 {
namespace {

#include "backend/cpu/generic/vector8.inc"

using F = __m512;
typedef int I __attribute__((vector_size(64)));
constexpr int kWidth = 16;
// 14 x 32: twenty-eight accumulators, two vectors of the right operand, one of the left.
constexpr int kMr = 14, kNr = 32;

MXDIT_INLINE F splat(float value) {
  return _mm512_set1_ps(value);
}
MXDIT_INLINE F load_floats(const float* data) {
  return _mm512_loadu_ps(data);
}
MXDIT_INLINE void store_floats(float* data, F value) {
  _mm512_storeu_ps(data, value);
}
MXDIT_INLINE F fma(F a, F b, F c) {
  return _mm512_fmadd_ps(a, b, c);
}
// b where a is NaN.
MXDIT_INLINE F maximum(F a, F b) {
  return _mm512_max_ps(a, b);
}
MXDIT_INLINE F root(F a) {
  return _mm512_sqrt_ps(a);
}
// NaN stays.
MXDIT_INLINE F clamp(F x, float least, float most) {
  return _mm512_min_ps(splat(most), _mm512_max_ps(splat(least), x));
}
// a 2^n for whole n, subnormal and infinite results included.
MXDIT_INLINE F times_power_of_two(F a, F n) {
  return _mm512_scalef_ps(a, n);
}
// 1 / a for a >= 1, one unit in the last place off at most; 0 from 2^125 on.
MXDIT_INLINE F reciprocal_or_zero(F a) {
  const F guess = _mm512_rcp14_ps(a);
  const F better = _mm512_mul_ps(guess, _mm512_fnmadd_ps(a, guess, splat(2.0f)));
  // NaN is kept: only what compares as large becomes zero.
  return _mm512_mask_mov_ps(better, _mm512_cmp_ps_mask(a, splat(0x1p125f), _CMP_GE_OQ), splat(0.0f));
}

MXDIT_INLINE F join(F8 low, F8 high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

MXDIT_INLINE __mmask16 first_lanes(int64_t lanes) {
  return static_cast<__mmask16>((1u << lanes) - 1u);
}

// bf16 as fp32.
MXDIT_INLINE F widen_bf16(__m256i codes) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16));
}

// Rounds to nearest even; NaN stays NaN (made quiet).
inline __m256i narrow_any_bf16(F value) {
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  const __m512i chosen =
      _mm512_mask_or_epi32(rounded, is_nan, bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(chosen, 16));
}
MXDIT_INLINE __m256i narrow_bf16(F value) {
#ifdef __AVX512BF16__
  // The instruction does the same, but makes subnormal numbers zeros.
  constexpr int kSubnormal = 0x20;
  if (__builtin_expect(_mm512_fpclass_ps_mask(value, kSubnormal) == 0, 1))
    return (__m256i)_mm512_cvtneps_pbh(value);
#endif
  return narrow_any_bf16(value);
}

template <Element T>
inline F load_some(const void* data, int64_t index, int64_t lanes) {
  alignas(64) char buffer[64] = {};
  const char* at = address<T>(data, index);
  for (int64_t i = 0; i < lanes * Bytes<T>::value; ++i) buffer[i] = at[i];
  return join(load8<T>(buffer, 0), load8<T>(buffer, 8));
}

template <Element T>
MXDIT_INLINE F load(const void* data, int64_t index, int64_t lanes) {
  const char* at = address<T>(data, index);
  if constexpr (T == Element::f32) {
    if (lanes == kWidth) return load_floats(reinterpret_cast<const float*>(at));
    return _mm512_maskz_loadu_ps(first_lanes(lanes), at);
  }
  if constexpr (T == Element::bf16) {
    if (lanes == kWidth)
      return widen_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    return widen_bf16(_mm256_maskz_loadu_epi16(first_lanes(lanes), at));
  }
  if (lanes != kWidth) return load_some<T>(data, index, lanes);
  return join(load8<T>(data, index), load8<T>(data, index + 8));
}

template <Element T>
MXDIT_INLINE void store(void* data, int64_t index, F value, int64_t lanes) {
  if constexpr (T == Element::f32 || T == Element::bf16) {
    char* at = static_cast<char*>(data) + index * Bytes<T>::value;
    if constexpr (T == Element::f32) {
      if (lanes == kWidth) return store_floats(reinterpret_cast<float*>(at), value);
      return _mm512_mask_storeu_ps(at, first_lanes(lanes), value);
    } else {
      const __m256i codes = narrow_bf16(value);
      if (lanes == kWidth) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), codes);
      return _mm256_mask_storeu_epi16(at, first_lanes(lanes), codes);
    }
  }
  const F8 low = _mm512_castps512_ps256(value), high = _mm512_extractf32x8_ps(value, 1);
  if (lanes == kWidth) {
    store8<T>(data, index, low);
    store8<T>(data, index + 8, high);
    return;
  }
  store8_some<T>(data, index, low, lanes < 8 ? lanes : 8);
  if (lanes > 8) store8_some<T>(data, index + 8, high, lanes - 8);
}

MXDIT_INLINE float sum_lanes(F a) {
  const F8 eight = _mm512_castps512_ps256(a) + _mm512_extractf32x8_ps(a, 1);
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

// x0 x1 x2 x3 ... -> x1 x0 x3 x2 ...
MXDIT_INLINE F swap_pairs(F a) {
  return _mm512_permute_ps(a, 0xb1);
}
// `lanes` / 2 floats, each twice.
MXDIT_INLINE F load_twice(const float* data, int64_t lanes) {
  const F low = _mm512_castps256_ps512(
      lanes == kWidth ? _mm256_loadu_ps(data) : load8_some<Element::f32>(data, 0, lanes / 2));
  return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7),
                               low);
}
MXDIT_INLINE int max_lanes(I a) {
  return _mm512_reduce_max_epi32((__m512i)a);
}
// Rounded to f16 and widened again.
MXDIT_INLINE F round_half(F a) {
  return _mm512_cvtph_ps(_mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
// The low byte of every lane.
MXDIT_INLINE void store_bytes(uint8_t* out, I codes) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8((__m512i)codes));
}
// Lanes of 4 bits, two a byte.
MXDIT_INLINE void store_nibbles(uint8_t* out, I codes) {
  const __m512i wide = (__m512i)codes;
  const __m512i pairs = _mm512_or_si512(wide, _mm512_srli_epi64(wide, 28));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm512_cvtepi64_epi8(pairs));
}
// a b - c in even lanes, a b + c in odd ones.
MXDIT_INLINE F multiply_subtract_add(F a, F b, F c) {
  return _mm512_fmaddsub_ps(a, b, c);
}

}  // namespace
}  // namespace mxdit::cpu::avx512

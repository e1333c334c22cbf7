// Scores of one key step of one panel of queries, to weights.
#pragma once

#include <immintrin.h>

#include <cfloat>
#include <cstdint>

#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/dot_kernels.h"

namespace mxdit::cpu::amx {
namespace {

enum class Factors { bf16, int8 };  // what tiles multiply; sums of int8 are int32

// What the scores of one key step are: sums of products in bf16, ...
struct Bf16Scores {
  static constexpr Factors kFactors = Factors::bf16;
  static constexpr int kUsualSteps = 4;  // of heads of 128
  static constexpr int kRowsAtOnce = 2;  // behind a tile product of all steps but the first

  __m512 scale;  // of sums to logits

  static MXDIT_INLINE __m512 load(const float* sums) { return _mm512_load_ps(sums); }
  MXDIT_INLINE __m512 scale_of(int) const { return scale; }
};

// ... or of products in int8: whole numbers below 2^24 in int32. A query has a scale, and so have
// all keys of the step.
struct Int8Scores {
  static constexpr Factors kFactors = Factors::int8;
  static constexpr int kUsualSteps = 2;
  static constexpr int kRowsAtOnce = 6;

  const float* query_scales;
  __m512 key_scale;

  static MXDIT_INLINE __m512 load(const float* sums) {
    return _mm512_cvtepi32_ps(_mm512_load_si512(sums));
  }
  MXDIT_INLINE __m512 scale_of(int r) const {
    return _mm512_mul_ps(_mm512_set1_ps(query_scales[r]), key_scale);
  }
};

template <typename Scores>
struct Softmax {
  Scores kind;
  const float* scores;
  uint8_t* weights;  // left panel step
  const float* reference;
  __mmask16 low, high;  // keys there are

  // 2^f on [0, 1] by the minimax cubic, within 2^-13.7 relative, and half an ulp of bf16 more, so
  // that cutting the low half off rounds to nearest; a weight is within 2^-8 + 2^-13.6 of exact.
  // vreduceps gives f = t - floor(t), and vscalefps takes 2^floor(t), both with the right results
  // at infinity and NaN.
  static MXDIT_INLINE __m512 exp2_for_cut(__mmask16 mask, __m512 t) {
    const __m512 f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.07802452264f), f, _mm512_set1_ps(0.22606715543f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69583354049f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992521856f + 0x1p-8f));
    return _mm512_maskz_scalef_ps(mask, p, t);
  }

  // Bytes 2 and 3 of every dword, in places 0 and 1.
  static MXDIT_INLINE __m512i upper_halves() {
    return _mm512_broadcast_i32x4(_mm_set_epi32(0x0f0e0f0e, 0x0b0a0b0a, 0x07060706, 0x03020302));
  }

  // The reference is a product rounded; what an exact product differs from it by is negligible in a
  // logit unless that is huge.
  template <bool huge>
  static MXDIT_INLINE __m512 logit(const float* score, __m512 scale, __m512 origin) {
    const __m512 s = Scores::load(score);
    if constexpr (huge) return _mm512_sub_ps(_mm512_mul_ps(s, scale), origin);
    return _mm512_fmsub_ps(s, scale, origin);
  }

  // Raises `largest`, words of weights, to this row's.
  template <bool huge = false>
  MXDIT_INLINE void row(int r, __m512i& largest) const {
    const float* s = scores + r * kDotRows;
    const __m512 origin = _mm512_set1_ps(reference[r]), scale = kind.scale_of(r);
    const __m512 t0 = logit<huge>(s, scale, origin), t1 = logit<huge>(s + 16, scale, origin);
    const __m512i w0 = _mm512_castps_si512(exp2_for_cut(low, t0));
    const __m512i w1 = _mm512_castps_si512(exp2_for_cut(high, t1));
    // (w1 & 0xffff0000) | (w0 >> 16), in one instruction
    const __m512i dots = _mm512_mask_shuffle_epi8(w1, 0x3333333333333333u, w0, upper_halves());
    _mm512_store_si512(weights + r * kDotStep, dots);
    largest = _mm512_max_epi16(largest, dots);
  }
};

// The divisor of a row: the sum of its rounded weights, so that these add up to 1. 16 lanes.
struct WeightSums {
  const uint8_t* weights;  // left panel of a chunk
  int64_t steps;
  float* sums;

  MXDIT_INLINE void row(int r) const {
    const __m512bh ones = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    __m512 sum = _mm512_load_ps(sums + r * 16);
    for (int64_t k = 0; k < steps; ++k)
      sum = _mm512_dpbf16_ps(
          sum, (__m512bh)_mm512_load_si512(weights + k * kDotStepBytes + r * kDotStep), ones);
    _mm512_store_ps(sums + r * 16, sum);
  }
};

// The largest logit of row r, or -FLT_MAX.
template <typename Scores>
float largest_logit(const Scores& kind, const float* scores, int r, __mmask16 low, __mmask16 high) {
  const float* s = scores + r * kDotRows;
  const __m512 none = _mm512_set1_ps(-FLT_MAX), scale = kind.scale_of(r);
  const __m512 t0 = _mm512_mask_mul_ps(none, low, Scores::load(s), scale);
  const __m512 t1 = _mm512_mask_mul_ps(none, high, Scores::load(s + 16), scale);
  return _mm512_reduce_max_ps(_mm512_max_ps(none, _mm512_max_ps(t0, t1)));
}

}  // namespace
}  // namespace mxdit::cpu::amx

// How fast vpdpbusd is when nothing is loaded. Every chain has another pair of factors, so that they
// change from product to product.
#include <immintrin.h>

#include "backend/cpu/peak_kernels.h"

namespace mxdit::cpu::avx512_vnni {

float int8_peak(int64_t rounds, const uint8_t* operands) noexcept {
  constexpr int kLeft = 4, kRight = kVnniChains / kLeft;
  __m512i left[kLeft], right[kRight], sums[kVnniChains];
  for (int i = 0; i < kLeft; ++i) left[i] = _mm512_loadu_si512(operands + i * 64);
  for (int i = 0; i < kRight; ++i) right[i] = _mm512_loadu_si512(operands + (kLeft + i) * 64);
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kVnniChains; ++i)
      sums[i] = _mm512_dpbusd_epi32(sums[i], left[i % kLeft], right[i / kLeft]);
  }
  __m512i total = sums[0];
  for (int i = 1; i < kVnniChains; ++i) total = _mm512_add_epi32(total, sums[i]);
  return static_cast<float>(_mm512_cvtsi512_si32(total));
}

}  // namespace mxdit::cpu::avx512_vnni

#include <immintrin.h>

#include <cmath>
#include <cstring>

#include "backend/cpu/amx/attention.h"
#include "backend/cpu/amx/tiles.h"

namespace mxdit::cpu::amx {

void pack_values(const PackValuesArgs& args) noexcept {
  // What the loops below leave out.
  if (args.count < kChunkKeys)
    std::memset(args.out, 0, static_cast<size_t>(args.steps * kChunkSteps * kDotStepBytes));
  for (int64_t first = 0; first < args.count; first += kKeyStep)
    for (int64_t dot = 0; dot < 16 && first + dot < args.count; ++dot) {
      const bool both = first + dot + 16 < args.count;
      const uint16_t* row = static_cast<const uint16_t*>(args.rows[first + dot]);
      const uint16_t* other =
          both ? static_cast<const uint16_t*>(args.rows[first + dot + 16]) : row;
      uint8_t* out = args.out + first / kKeyStep * kDotStepBytes + dot * kDotStep;
      for (int64_t d = 0; d < args.dim; d += 32, out += kChunkSteps * kDotStepBytes) {
        const __mmask32 mask = first_elements(args.dim - d);
        const __m512i a = _mm512_maskz_loadu_epi16(mask, row + d);
        const __m512i b = _mm512_maskz_loadu_epi16(both ? mask : 0, other + d);
        for (int half = 0; half < 2; ++half) {
          const auto part = [half](__m512i v) {
            return _mm512_cvtepu16_epi32(half == 0 ? _mm512_castsi512_si256(v)
                                                   : _mm512_extracti64x4_epi64(v, 1));
          };
          _mm512_store_si512(out + half * kTileBytes,
                             _mm512_or_si512(part(a), _mm512_slli_epi32(part(b), 16)));
        }
      }
    }
}

namespace {

// Below this a row counts as zeros: no scale is so small that it cannot be divided by.
constexpr float kLeastLargest = 0x1p-100f;

struct Rows {
  const PackInt8Args& args;

  __m512 load(int64_t r, int64_t d) const {
    const auto* row = static_cast<const uint16_t*>(args.rows[r]) + d;
    const __mmask16 mask = static_cast<__mmask16>(first_elements(args.dim - d));
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row));
    const __m512 x = _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
    if (args.mean == nullptr) return x;
    return _mm512_sub_ps(x, _mm512_maskz_loadu_ps(mask, args.mean + d));
  }
  float largest(int64_t r) const {
    __m512 most = _mm512_setzero_ps();
    for (int64_t d = 0; d < args.dim; d += 16)
      most = _mm512_max_ps(most, _mm512_abs_ps(load(r, d)));
    return _mm512_reduce_max_ps(most);
  }
  void pack(int64_t r, float largest) const {
    const __m512 inverse = _mm512_set1_ps(127.0f / std::fmax(largest, kLeastLargest));
    for (int64_t d = 0; d < args.dim; d += 16) {
      const __m128i codes =
          _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(load(r, d), inverse)));
      uint8_t* step = args.out + d / kDotStep * kDotStepBytes;
      if (args.side == Side::left) {
        _mm_store_si128(reinterpret_cast<__m128i*>(step + r * kDotStep + d % kDotStep), codes);
        continue;
      }
      alignas(16) uint8_t bytes[16];
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes), codes);
      uint8_t* out = step + r / 16 * kTileBytes + d % kDotStep * 16 + r % 16 * 4;
      for (int dot = 0; dot < 4; ++dot) std::memcpy(out + dot * 64, bytes + dot * 4, 4);
    }
  }
};

}  // namespace

void survey_rows(const SurveyRowsArgs& args) noexcept {
  __m256i most = _mm256_set1_epi16(static_cast<short>(*args.largest));
  for (int64_t r = 0; r < args.count; ++r)
    for (int64_t d = 0; d < args.dim; d += 16) {
      const __mmask16 mask = static_cast<__mmask16>(first_elements(args.dim - d));
      const __m256i x =
          _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(args.rows[r]) + d);
      most = _mm256_max_epu16(most, _mm256_and_si256(x, _mm256_set1_epi16(0x7fff)));
      if (args.sums == nullptr) continue;
      const __m512 wide = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
      const __m512 sum = _mm512_maskz_loadu_ps(mask, args.sums + d);
      _mm512_mask_storeu_ps(args.sums + d, mask, _mm512_add_ps(sum, wide));
    }
  *args.largest = static_cast<uint16_t>(_mm512_reduce_max_epu32(_mm512_cvtepu16_epi32(most)));
}

void pack_int8(const PackInt8Args& args) noexcept {
  std::memset(args.out, 0, static_cast<size_t>(args.steps * kDotStepBytes));
  const Rows rows{args};
  float largest[kDotRows] = {}, most = 0.0f;
  for (int64_t r = 0; r < args.count; ++r) {
    largest[r] = rows.largest(r);
    most = std::fmax(most, largest[r]);
  }
  const auto scale = [&args](float of) { return of / 127.0f * args.factor; };
  const bool left = args.side == Side::left;
  for (int64_t r = 0; r < args.count; ++r) rows.pack(r, left ? largest[r] : most);
  if (!left) *args.scales = scale(most);
  for (int64_t r = 0; left && r < kDotRows; ++r) args.scales[r] = scale(largest[r]);
}

}  // namespace mxdit::cpu::amx

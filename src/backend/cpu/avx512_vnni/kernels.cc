// Dots on AVX-512 VNNI: encoding and packing for it and for AMX, and int8 products. vdpbf16ps does no more
// multiplications a cycle than fp32 FMA, so bf16 products stay with the fp32 kernels.
#include <immintrin.h>

#include "backend/cpu/avx512/simd.inc"
#include "backend/cpu/dot_kernels.h"
#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu {
namespace avx512 {
namespace {

// The kernels of rows again: here they round to bf16 with one instruction.
#include "backend/cpu/generic/functions.inc"
#include "backend/cpu/generic/rows.inc"

}  // namespace
}  // namespace avx512

namespace avx512_vnni {
namespace {

#include "backend/cpu/avx512_vnni/pack.inc"
#include "backend/cpu/avx512_vnni/fold.inc"
#include "backend/cpu/avx512_vnni/quantize.inc"

constexpr uint8_t kBias = 128;  // vpdpbusd takes its first factor as unsigned
constexpr int kRows = 8;

MXDIT_INLINE void add_scaled(__m512 sum, __m512 scale, const float* start, float* out) {
  _mm512_storeu_ps(out, _mm512_add_ps(_mm512_loadu_ps(start), _mm512_mul_ps(sum, scale)));
}

MXDIT_INLINE int dword_at(const uint8_t* at) {
  int value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

// sums[r] += rows r .. of one step times both halves of a right step.
MXDIT_INLINE void multiply_step(const uint8_t* left, const uint8_t* right,
                                __m512i sums[kRows][2]) {
#pragma GCC unroll 16
  for (int dot = 0; dot < 16; ++dot) {
    const __m512i b0 = _mm512_load_si512(right + dot * 64);
    const __m512i b1 = _mm512_load_si512(right + kDotStepBytes / 2 + dot * 64);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i a = _mm512_set1_epi32(dword_at(left + r * kDotStep + dot * 4));
      sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], b0, a);
      sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], b1, a);
    }
  }
}

// -bias * sum of each left row: what the bias of the right panels adds to a product.
inline void find_corrections(const uint8_t* left, int64_t steps, int32_t* out) {
  for (int64_t r = 0; r < kDotRows; ++r) {
    __m512i sum = _mm512_setzero_si512();
    for (int64_t s = 0; s < steps; ++s)
      sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(static_cast<char>(kBias)),
                                _mm512_load_si512(left + s * kDotStepBytes + r * kDotStep));
    out[r] = -_mm512_reduce_add_epi32(sum);
  }
}

// One group of one panel of columns.
struct FoldedPanel {
  const uint8_t *left, *right;
  int64_t steps;
  const int32_t* correction;
  const float *row_scale, *column_scale;
  const float* start;
  int64_t start_stride;
  float* product;
};

void multiply_panel(const FoldedPanel& p) {
  const __m512 c0 = _mm512_loadu_ps(p.column_scale), c1 = _mm512_loadu_ps(p.column_scale + 16);
  for (int64_t row = 0; row < kDotRows; row += kRows) {
    __m512i sums[kRows][2];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      sums[r][0] = sums[r][1] = _mm512_set1_epi32(p.correction[row + r]);
    for (int64_t s = 0; s < p.steps; ++s)
      multiply_step(p.left + s * kDotStepBytes + row * kDotStep, p.right + s * kDotStepBytes, sums);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* out = p.product + (row + r) * kDotRows;
      const float* start = p.start + (row + r) * p.start_stride;
      const __m512 scale = _mm512_set1_ps(p.row_scale[row + r]);
      add_scaled(_mm512_cvtepi32_ps(sums[r][0]), _mm512_mul_ps(scale, c0), start, out);
      add_scaled(_mm512_cvtepi32_ps(sums[r][1]), _mm512_mul_ps(scale, c1), start + 16, out + 16);
    }
  }
}

void multiply_row_panel(const MultiplyFoldedArgs& args, int64_t row) {
  int32_t correction[kDotRows];
  const uint8_t *left = args.left + row * args.left_stride, *right = args.right;
  for (int64_t step = 0, group = 0; step < args.steps; step += kPieceSteps, ++group) {
    const int64_t steps = args.steps - step < kPieceSteps ? args.steps - step : kPieceSteps;
    find_corrections(left, steps, correction);
    for (int64_t panel = 0; panel < args.panels; ++panel, right += kPieceBytes) {
      float* product = args.product + row * args.product_left_stride + panel * args.product_stride;
      const bool starts = args.start != nullptr && group == 0;
      multiply_panel({.left = left,
                      .right = right,
                      .steps = steps,
                      .correction = correction,
                      .row_scale = args.row_scale + group * args.row_scale_stride + row * kDotRows,
                      .column_scale =
                          args.column_scale + group * args.column_scale_stride + panel * kDotRows,
                      .start = starts ? args.start + panel * kDotRows : product,
                      .start_stride = starts ? 0 : kDotRows,
                      .product = product});
    }
    left += kPieceBytes;
  }
}

void multiply_folded(const MultiplyFoldedArgs& args) noexcept {
  for (int64_t row = 0; row < args.left_panels; ++row) multiply_row_panel(args, row);
}

inline void clear_sums(int32_t* sums) {
  for (int64_t i = 0; i < kDotBlock; i += 16) _mm512_store_si512(sums + i, _mm512_setzero_si512());
}

void sum_step(const uint8_t* left, const uint8_t* right, int32_t* out) {
  int32_t correction[kDotRows];
  find_corrections(left, 1, correction);
  for (int64_t row = 0; row < kDotRows; row += kRows) {
    __m512i sums[kRows][2];
    for (int r = 0; r < kRows; ++r) {
      const __m512i start = _mm512_set1_epi32(correction[row + r]);
      sums[r][0] = _mm512_add_epi32(start, _mm512_load_si512(out + (row + r) * kDotRows));
      sums[r][1] = _mm512_add_epi32(start, _mm512_load_si512(out + (row + r) * kDotRows + 16));
    }
    multiply_step(left + row * kDotStep, right, sums);
    for (int r = 0; r < kRows; ++r) {
      _mm512_store_si512(out + (row + r) * kDotRows, sums[r][0]);
      _mm512_store_si512(out + (row + r) * kDotRows + 16, sums[r][1]);
    }
  }
}

#include "backend/cpu/avx512_vnni/dots.inc"

}  // namespace
}  // namespace avx512_vnni

const KernelTable* avx512_vnni_table() noexcept {
  static constexpr KernelTable table = {
      .name = "avx512_vnni",
      .isa = kIsaAvx2 | kIsaAvx512 | kIsaAvx512Vnni,
#include "backend/cpu/avx512/row_table.inc"
      .quantize = avx512_vnni::quantize,
      .dots = {.right_bias = avx512_vnni::kBias,
               .pack = avx512_vnni::pack,
               .widen = avx512_vnni::widen,
               .survey = avx512_vnni::survey,
               .fold = avx512_vnni::fold,
               .multiply_folded = avx512_vnni::multiply_folded,
               .multiply_levels = avx512_vnni::multiply_levels,
               .finish = nullptr,
               .multiply = nullptr,
               .multiply_panels = nullptr},
  };
  return &table;
}

}  // namespace mxdit::cpu

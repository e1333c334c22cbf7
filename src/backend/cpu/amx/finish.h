// Sums of products to bf16 outputs. Subnormal outputs become zeros, as they do in bf16 products.
#pragma once

#include <immintrin.h>

#include "backend/cpu/dot_kernels.h"
#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::amx {
namespace {

// x / (1 + 2^t), t = -2 log2(e) sqrt(2/pi) (x + 0.044715 x^3): 0.5 x (1 + tanh(...)) without the
// cancellation. 2^t by its fraction f, with a minimax polynomial on [0, 1] within 2^-18.5; the
// reciprocal is good to 2^-14. Both are far below the 2^-9 of a bf16 result. Infinity and NaN come
// out as in fp32.
inline __attribute__((always_inline)) __m512 gelu_tanh(__m512 x) {
  const __m512 inner = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.10294324f),
                                       _mm512_set1_ps(-2.3022082f));
  const __m512 t = _mm512_mul_ps(x, inner);
  const __m512 f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.01353417f), f, _mm512_set1_ps(0.05201146f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.24144275f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69300383f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.00000262f));
  const __m512 power = _mm512_scalef_ps(p, t);
  return _mm512_mul_ps(x, _mm512_rcp14_ps(_mm512_add_ps(power, _mm512_set1_ps(1.0f))));
}

// One row of a panel of columns.
template <Function function>
inline __attribute__((always_inline)) void finish_row(uint16_t* out, __m512 low, __m512 high) {
  if constexpr (function == Function::gelu_tanh) low = gelu_tanh(low), high = gelu_tanh(high);
  _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// What becomes of the sums of a panel or block.
enum class Fate { none, keep, finish, finish_gelu };

// The sums of one panel, to be finished row by row.
struct FinishRows {
  const FinishedOutput* output;
  const float* sums;
  int64_t column;
  __m512 bias[2];

  FinishRows() = default;
  FinishRows(const FinishedOutput& to, const float* panel_sums, int64_t first)
      : output(&to), sums(panel_sums), column(first) {
    for (int half = 0; half < 2; ++half)
      bias[half] =
          to.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(to.bias + first + half * 16);
  }
  template <Function function>
  inline __attribute__((always_inline)) void take(int64_t r) const {
    const float* at = sums + r * kDotRows;
    finish_row<function>(
        output->out + r * output->stride + column / kDotRows * output->panel_stride,
        _mm512_add_ps(_mm512_loadu_ps(at), bias[0]),
        _mm512_add_ps(_mm512_loadu_ps(at + 16), bias[1]));
  }
};

template <Function function>
void finish_panels(const FinishArgs& args) {
  for (int64_t panel = 0; panel < args.panels; ++panel) {
    const FinishRows rows(args.output, args.product + panel * args.product_stride,
                          panel * kDotRows);
    for (int64_t r = 0; r < args.output.rows; ++r) rows.take<function>(r);
  }
}

inline void finish(const FinishArgs& args) noexcept {
  if (args.output.function == Function::gelu_tanh) return finish_panels<Function::gelu_tanh>(args);
  finish_panels<Function::none>(args);
}

}  // namespace
}  // namespace mxdit::cpu::amx

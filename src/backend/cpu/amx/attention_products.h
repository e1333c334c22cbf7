// Products of attention, and the weights that are computed behind their tile products.
#pragma once

#include "backend/cpu/amx/attention_weights.h"
#include "backend/cpu/amx/tiles.h"

namespace mxdit::cpu::amx {
namespace {

constexpr int kRows = 32;

// left right^T of packed steps, onto `start` unless that is null; the sums stay in tiles 0 to 3,
// and those of the product before go to `before`. Blocks hold int32 where those are the sums.
struct Product {
  const uint8_t *left, *right;
  int64_t steps;
  const float* start;
  float* before;
};

#define MXDIT_MULTIPLY(sum, left, right)  \
  if constexpr (factors == Factors::int8) \
    _tile_dpbssd(sum, left, right);       \
  else                                    \
    _tile_dpbf16ps(sum, left, right)

#define MXDIT_TURN_OVER(tile)       \
  MXDIT_STORE_TILE(tile, p.before); \
  if constexpr (accumulate)         \
    MXDIT_LOAD_TILE(tile, p.start); \
  else                              \
    _tile_zero(tile)

// What is done behind tile products.
struct Nothing {
  MXDIT_INLINE void behind_first(int) {}
  MXDIT_INLINE void behind_later() {}
  MXDIT_INLINE void run_all() {}
  MXDIT_INLINE void finish() {}
};

// Rows of weights. The scores of step `now` leave the tiles during the first step of a product, so
// the rest of the rows of the step before come first.
constexpr int kEarlyRows = kRows - 8;
template <typename Scores>
struct Rows {
  const Softmax<Scores> before, now;
  bool any_before;
  const int end;       // kEarlyRows, or all
  const int at_once;   // rows behind a tile product, ...
  const int fast_end;  // ... from here on one
  __m512i* const total;  // the largest words of all weights so far
  __m512i largest = _mm512_setzero_si512();
  int row = 0;

  MXDIT_INLINE void behind_first(int product) {
    if (!any_before) return;
    before.row(kEarlyRows + 2 * product, largest);
    before.row(kEarlyRows + 2 * product + 1, largest);
  }
  MXDIT_INLINE void behind_later() {
    if (row >= end) return;
    now.row(row++, largest);
    for (int more = 1; more < at_once && row < fast_end; ++more) now.row(row++, largest);
  }
  MXDIT_INLINE void run_all() {
    if (any_before)
      for (int r = kEarlyRows; r < kRows; ++r) before.row(r, largest);
    any_before = false;
    finish();
  }
  MXDIT_INLINE void finish() {
    for (; row < end; ++row) now.row(row, largest);
    *total = _mm512_max_epi16(*total, largest);
    __asm__ volatile("" ::: "memory");  // weights are in memory
  }
};

// Rows of sums, one behind every `every`-th tile product.
struct SumRows {
  const WeightSums sums;
  int row, end;
  const int every;
  int turn = 0;

  MXDIT_INLINE void behind_first(int) {}
  MXDIT_INLINE void behind_later() {
    if (++turn % every != 0 || row >= end) return;
    sums.row(row++);
  }
  MXDIT_INLINE void run_all() {}
  MXDIT_INLINE void finish() {
    for (; row < end; ++row) sums.row(row);
  }
};

// With `all`, the last step of the product needs the rows of weights.
template <Factors factors, bool accumulate, bool all, typename Work>
MXDIT_INLINE void run_product(const Product& p, int64_t steps, Work work) {
  const uint8_t *a = p.left, *b = p.right;
  __asm__ volatile("" ::: "memory");
  if (all && steps <= 2) {  // the first step needs rows of the step before already
    store_tiles(p.before);
    work.run_all();
  }
  _tile_loadd(4, a, kDotStep);
  _tile_loadd(6, b, kDotStep);
  _tile_loadd(7, b + kTileBytes, kDotStep);
  _tile_loadd(5, a + kTileBytes, kDotStep);
  MXDIT_TURN_OVER(0);
  MXDIT_MULTIPLY(0, 4, 6);
  work.behind_first(0);
  MXDIT_TURN_OVER(1);
  MXDIT_MULTIPLY(1, 4, 7);
  work.behind_first(1);
  MXDIT_TURN_OVER(2);
  MXDIT_MULTIPLY(2, 5, 6);
  work.behind_first(2);
  MXDIT_TURN_OVER(3);
  MXDIT_MULTIPLY(3, 5, 7);
  work.behind_first(3);
  __asm__ volatile("" ::: "memory");  // so are these weights
#pragma GCC unroll 8
  for (int64_t s = 1; s < steps; ++s) {
    a += kDotStepBytes;
    b += kDotStepBytes;
    if (all && s == steps - 1) work.finish();
    _tile_loadd(4, a, kDotStep);
    _tile_loadd(6, b, kDotStep);
    MXDIT_MULTIPLY(0, 4, 6);
    work.behind_later();
    _tile_loadd(7, b + kTileBytes, kDotStep);
    MXDIT_MULTIPLY(1, 4, 7);
    work.behind_later();
    _tile_loadd(5, a + kTileBytes, kDotStep);
    MXDIT_MULTIPLY(2, 5, 6);
    work.behind_later();
    MXDIT_MULTIPLY(3, 5, 7);
    work.behind_later();
  }
  if (!all) work.finish();
}

// The usual number of steps is unrolled.
template <Factors factors, bool accumulate, bool all, int usual, typename Work>
MXDIT_INLINE void run_product(const Product& p, Work work) {
  if (p.steps == usual) return run_product<factors, accumulate, all>(p, usual, work);
  run_product<factors, accumulate, all>(p, p.steps, work);
}

}  // namespace
}  // namespace mxdit::cpu::amx

// Dots on AMX: two left tiles times two right tiles into four tiles of sums.
//
// Sums leave the tiles one panel late, behind the first loads of the next one: tile loads stall on
// pending stores with the same last 12 address bits, and those stores wait for the multiplier.
#include <immintrin.h>

#include "backend/cpu/amx/attention.h"
#include "backend/cpu/amx/finish.h"
#include "backend/cpu/amx/panel_products.h"
#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/dot_kernels.h"
#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu {
namespace amx {
namespace {

constexpr int kRows = kDotRows;

MXDIT_INLINE void add_scaled(__m512 sum, __m512 scale, const float* start, float* out) {
  _mm512_storeu_ps(out, _mm512_add_ps(_mm512_loadu_ps(start), _mm512_mul_ps(sum, scale)));
}

// ---- bf16 ----

struct LeftSteps {
  const uint8_t* first;
  int64_t stride;
  const int64_t* steps;

  MXDIT_INLINE const uint8_t* operator[](int64_t s) const {
    return first + (steps == nullptr ? s * kDotStepBytes : steps[s]);
  }
};

// Steps from `first` on; the sums are in the tiles.
MXDIT_INLINE void multiply_steps(const LeftSteps& left, const uint8_t* right, int64_t first,
                                 int64_t steps) {
  for (int64_t s = first; s < steps; ++s) {
    const uint8_t* a = left[s];
    const uint8_t* b = right + s * kDotStepBytes;
    _tile_loadd(4, a, left.stride);
    _tile_loadd(6, b, kDotStep);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + kTileBytes, kDotStep);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + 16 * left.stride, left.stride);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

// Hands tile t of the panel before to memory and starts the sum anew.
#define MXDIT_NEXT_TILE(tile)                                         \
  if (before != nullptr) MXDIT_STORE_TILE(tile, before);              \
  if (accumulate)                                                     \
    MXDIT_LOAD_TILE(tile, product);         \
  else                                                                \
    _tile_zero(tile)

template <bool accumulate>
MXDIT_INLINE void first_step(const LeftSteps& left, const uint8_t* b, const float* product,
                             float* before) {
  const uint8_t* a = left[0];
  _tile_loadd(4, a, left.stride);
  _tile_loadd(6, b, kDotStep);
  _tile_loadd(7, b + kTileBytes, kDotStep);
  _tile_loadd(5, a + 16 * left.stride, left.stride);
  MXDIT_NEXT_TILE(0);
  _tile_dpbf16ps(0, 4, 6);
  MXDIT_NEXT_TILE(1);
  _tile_dpbf16ps(1, 4, 7);
  MXDIT_NEXT_TILE(2);
  _tile_dpbf16ps(2, 5, 6);
  MXDIT_NEXT_TILE(3);
  _tile_dpbf16ps(3, 5, 7);
}

void multiply(const MultiplyDotsArgs& args) noexcept {
  configure_tiles();
  const LeftSteps left = {args.left, args.left_stride, args.left_steps};
  float* before = nullptr;
  for (int64_t panel = 0; panel < args.panels; ++panel) {
    const uint8_t* right = args.right + panel * args.right_stride;
    float* product = args.product + panel * args.product_stride;
    if (args.accumulate)
      first_step<true>(left, right, product, before);
    else
      first_step<false>(left, right, product, before);
    multiply_steps(left, right, 1, args.steps);
    before = product;
  }
  store_tiles(before);
  release_tiles();
}

// ---- folded int8 ----

// The sums of the panel before, scaled, on top of what they start from.
struct Rescale {
  const int32_t* sums;
  const float* row_scale;
  const float* start;
  int64_t start_stride;  // floats from row to row: 0 where all rows start alike
  float* product;
  uint16_t* out;  // where finished ones go
  int64_t out_stride, out_rows;
  __m512 column_scale[2];

  MXDIT_INLINE __m512 half(int row, int half) const {
    const __m512 sum =
        _mm512_cvtepi32_ps(_mm512_load_si512(sums + row * kDotRows + half * 16));
    const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(row_scale[row]), column_scale[half]);
    return _mm512_add_ps(_mm512_loadu_ps(start + row * start_stride + half * 16),
                         _mm512_mul_ps(sum, scale));
  }
  template <Fate fate>
  MXDIT_INLINE void take(int row) const {
    const __m512 low = half(row, 0), high = half(row, 1);
    if constexpr (fate == Fate::keep) {
      _mm512_storeu_ps(product + row * kDotRows, low);
      _mm512_storeu_ps(product + row * kDotRows + 16, high);
    } else if (row < out_rows) {
      constexpr Function function = fate == Fate::finish ? Function::none : Function::gelu_tanh;
      finish_row<function>(out + row * out_stride, low, high);
    }
  }
};

#define MXDIT_TURN_OVER(tile)                             \
  MXDIT_STORE_TILE(tile, reinterpret_cast<float*>(sums)); \
  _tile_zero(tile)

// One panel of a piece, and what becomes of the sums of the one before it in between. The sums that the
// tiles hold at first are those of the panel before.
template <Fate fate>
MXDIT_INLINE void multiply_panel(const uint8_t* a, const uint8_t* b, int64_t steps, int32_t* sums,
                                 const Rescale& before, Prefetch& ahead) {
  ahead.some();
  _tile_loadd(4, a, kDotStep);
  _tile_loadd(6, b, kDotStep);
  _tile_loadd(7, b + kTileBytes, kDotStep);
  _tile_loadd(5, a + kTileBytes, kDotStep);
  MXDIT_TURN_OVER(0);
  _tile_dpbssd(0, 4, 6);
  MXDIT_TURN_OVER(1);
  _tile_dpbssd(1, 4, 7);
  MXDIT_TURN_OVER(2);
  _tile_dpbssd(2, 5, 6);
  MXDIT_TURN_OVER(3);
  _tile_dpbssd(3, 5, 7);
  int row = 0;
  // 32 rows behind the 24 products of all but two steps: two behind every third.
#define MXDIT_TAKE_ROWS(count)    \
  if constexpr (fate != Fate::none) \
    for (int u = 0; u < (count) && row < kRows; ++u) before.take<fate>(row++)
#pragma GCC unroll 8
  for (int64_t s = 1; s < steps; ++s) {
    a += kDotStepBytes;
    b += kDotStepBytes;
    _tile_loadd(4, a, kDotStep);
    _tile_loadd(6, b, kDotStep);
    if (s > 1) MXDIT_TAKE_ROWS(1);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(7, b + kTileBytes, kDotStep);
    ahead.some();
    if (s > 1) MXDIT_TAKE_ROWS(2);
    _tile_dpbssd(1, 4, 7);
    _tile_loadd(5, a + kTileBytes, kDotStep);
    if (s > 1) MXDIT_TAKE_ROWS(1);
    _tile_dpbssd(2, 5, 6);
    if (s > 1) MXDIT_TAKE_ROWS(2);
    _tile_dpbssd(3, 5, 7);
  }
  MXDIT_TAKE_ROWS(kRows);  // where there are few steps
#undef MXDIT_TAKE_ROWS
}

// Kept apart, or the compiler would spill one fate's constants for the others.
template <Fate fate>
__attribute__((noinline)) void multiply_some_panel(const uint8_t* a, const uint8_t* b,
                                                   int64_t steps, int32_t* sums,
                                                   const Rescale& before, Prefetch& ahead) {
  const Rescale own = before;  // which no store can change: its parts stay in registers
  Prefetch next = ahead;
  if (steps == kPieceSteps)
    multiply_panel<fate>(a, b, kPieceSteps, sums, own, next);
  else
    multiply_panel<fate>(a, b, steps, sums, own, next);
  ahead = next;
}

template <Fate fate>
void take_all(const Rescale& before) {
  for (int row = 0; row < kRows; ++row) before.take<fate>(row);
}

MXDIT_INLINE void sum_tiles(const uint8_t* a, const uint8_t* b) {
  _tile_loadd(4, a, kDotStep);
  _tile_loadd(6, b, kDotStep);
  _tile_dpbssd(0, 4, 6);
  _tile_loadd(7, b + kTileBytes, kDotStep);
  _tile_dpbssd(1, 4, 7);
  _tile_loadd(5, a + kTileBytes, kDotStep);
  _tile_dpbssd(2, 5, 6);
  _tile_dpbssd(3, 5, 7);
}

// A panel of rows, a group and a panel of columns.
struct FoldedBlock {
  int64_t row, group, panel;
};

MXDIT_INLINE Rescale rescale_of(const MultiplyFoldedArgs& args, const FoldedBlock& at,
                                const int32_t* sums) {
  const float* column_scale =
      args.column_scale + at.group * args.column_scale_stride + at.panel * kDotRows;
  float* product =
      args.product + at.row * args.product_left_stride + at.panel * args.product_stride;
  const bool starts = args.start != nullptr && at.group == 0;
  Rescale rescale = {
      .sums = sums,
      .row_scale = args.row_scale + at.group * args.row_scale_stride + at.row * kDotRows,
      .start = starts ? args.start + at.panel * kDotRows : product,
      .start_stride = starts ? 0 : kDotRows,
      .product = product,
      .out = nullptr,
      .out_stride = 0,
      .out_rows = 0,
      .column_scale = {_mm512_loadu_ps(column_scale), _mm512_loadu_ps(column_scale + 16)}};
  if (const FinishedOutput* output = args.output; output != nullptr) {
    rescale.out =
        output->out + at.row * output->row_panel_stride + at.panel * output->panel_stride;
    rescale.out_stride = output->stride;
    rescale.out_rows = output->rows - at.row * kDotRows;
  }
  return rescale;
}

MXDIT_INLINE Fate fate_of(const MultiplyFoldedArgs& args, bool is_last) {
  if (!is_last || args.output == nullptr) return Fate::keep;
  return args.output->function == Function::none ? Fate::finish : Fate::finish_gelu;
}

void multiply_folded(const MultiplyFoldedArgs& args) noexcept {
  alignas(4096) int32_t sums[kDotBlock];
  configure_tiles();
  const int64_t groups = (args.steps + kPieceSteps - 1) / kPieceSteps;
  const int64_t visits = args.panels * kPieceSteps, lines = (kPieceBytes / 64 + visits - 1) / visits;
  Rescale before = {};
  Fate fate = Fate::none;  // of the panel before
  for (int64_t piece = 0; piece < args.left_panels * groups; ++piece) {
    const int64_t row = piece / groups, group = piece % groups;
    const uint8_t* left = args.left + row * args.left_stride + group * kPieceBytes;
    const uint8_t* right = args.right + group * args.panels * kPieceBytes;
    const uint8_t* next_row = args.left + (row + 1) * args.left_stride;
    Prefetch ahead = {group + 1 < groups ? left + kPieceBytes : next_row, lines};
    const int64_t rest = args.steps - group * kPieceSteps;
    const int64_t steps = rest < kPieceSteps ? rest : kPieceSteps;
    for (int64_t panel = 0; panel < args.panels; ++panel, right += kPieceBytes) {
      if (fate == Fate::keep)
        multiply_some_panel<Fate::keep>(left, right, steps, sums, before, ahead);
      else if (fate == Fate::none)
        multiply_some_panel<Fate::none>(left, right, steps, sums, before, ahead);
      else if (fate == Fate::finish)
        multiply_some_panel<Fate::finish>(left, right, steps, sums, before, ahead);
      else
        multiply_some_panel<Fate::finish_gelu>(left, right, steps, sums, before, ahead);
      before = rescale_of(args, {row, group, panel}, sums);
      fate = fate_of(args, group + 1 == groups);
    }
  }
  store_tiles(reinterpret_cast<float*>(sums));
  release_tiles();
  if (fate == Fate::keep) return take_all<Fate::keep>(before);
  if (fate == Fate::finish) return take_all<Fate::finish>(before);
  take_all<Fate::finish_gelu>(before);
}

inline void clear_sums(int32_t* sums) {
  for (int64_t i = 0; i < kDotBlock; i += 16) _mm512_store_si512(sums + i, _mm512_setzero_si512());
}

void sum_step(const uint8_t* left, const uint8_t* right, int32_t* out) {
  float* block = reinterpret_cast<float*>(out);
  configure_tiles();
  MXDIT_LOAD_TILE(0, block);
  MXDIT_LOAD_TILE(1, block);
  MXDIT_LOAD_TILE(2, block);
  MXDIT_LOAD_TILE(3, block);
  sum_tiles(left, right);
  store_tiles(block);
  release_tiles();
}

#include "backend/cpu/avx512_vnni/dots.inc"

}  // namespace
}  // namespace amx

const KernelTable* amx_table() noexcept {
  static constexpr KernelTable table = {
      .name = "amx",
      .isa = kIsaAvx2 | kIsaAvx512 | kIsaAvx512Vnni | kIsaAmx,
      .dots = {.right_bias = 0,
               .pack = nullptr,  // these four are AVX-512's
               .widen = nullptr,
               .survey = nullptr,
               .fold = nullptr,
               .multiply_folded = amx::multiply_folded,
               .multiply_levels = amx::multiply_levels,
               .finish = amx::finish,
               .multiply = amx::multiply,
               .multiply_panels = amx::multiply_panels},
      .attention = {amx::pack_values, amx::attend, amx::attend_workspace, amx::survey_rows,
                  amx::pack_int8},
  };
  return &table;
}

}  // namespace mxdit::cpu

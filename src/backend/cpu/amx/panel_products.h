// Products of bf16 panels: two left tiles times three right ones into six tiles of sums.
//
// Both operands stream from L2, which bounds the product: five tiles for six multiplications instead
// of four for four. Two tile registers are left for them, so that two of the five are loaded twice,
// the second time from L1. Sums stay in tiles over all steps of a call.
//
// Sums leave the tiles one block late, between the first multiplications of the next one, and what
// becomes of them is done between its later ones.
#pragma once

#include <immintrin.h>

#include "backend/cpu/amx/finish.h"
#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/dot_kernels.h"

namespace mxdit::cpu::amx {
namespace {

constexpr int kBlockTiles = 3;     // right tiles of a block; where they do not come out even, two
constexpr int64_t kTileRows = 16;  // and columns

// Where the sums of a block leave the tiles to. A load stalls on a pending store whose address has
// the same last 12 bits; those of the first step have the lower half of a page, so the sums have the
// upper one.
struct alignas(4096) SumsRoom {
  static constexpr int64_t kStride = 64;  // bytes from row to row

  uint8_t page[kBlockTiles][4096];

  float* tile(int half, int t) {
    return reinterpret_cast<float*>(page[t] + 2048 + half * kTileBytes);
  }
};

struct Block {
  int64_t row = 0;   // panel of 32
  int64_t tile = 0;  // of 16 columns, the first
  int width = 0;     // in tiles
};

// The blocks of a product, row by row: threes, then up to two twos.
class Blocks {
 public:
  explicit Blocks(int64_t panels)
      : tiles_(panels * 2), threes_end_(tiles_ - 2 * twos(tiles_)) {}

  int64_t count_in_row() const { return threes_end_ / kBlockTiles + (tiles_ - threes_end_) / 2; }
  Block first() const { return at(0, 0); }
  Block after(const Block& block) const {
    const int64_t tile = block.tile + block.width;
    return tile < tiles_ ? at(block.row, tile) : at(block.row + 1, 0);
  }

 private:
  static int64_t twos(int64_t tiles) { return (kBlockTiles - tiles % kBlockTiles) % kBlockTiles; }
  Block at(int64_t row, int64_t tile) const {
    return {row, tile, tile < threes_end_ ? kBlockTiles : 2};
  }

  const int64_t tiles_, threes_end_;
};

inline float* sums_of(const MultiplyPanelsArgs& args, const Block& block, int64_t t) {
  const int64_t tile = block.tile + t;
  return args.product + block.row * args.product_left_stride + (tile >> 1) * args.product_stride +
         (tile & 1) * kTileRows;
}

// The sums of a block, to be taken row by row.
struct BlockSums {
  SumsRoom* room;
  int width;
  float* product[kBlockTiles];
  const float* start[kBlockTiles];  // what they are added to
  int64_t start_stride;             // floats from row to row
  const FinishedOutput* output;     // null: they stay in the product
  int64_t rows;
  uint16_t* out[kBlockTiles];
  __m512 bias[kBlockTiles];

  BlockSums(const MultiplyPanelsArgs& args, const Block& block, SumsRoom* sums)
      : room(sums), width(block.width), output(args.output) {
    alignas(64) static constexpr float kZeros[kTileRows] = {};
    start_stride = args.accumulate ? kDotRows : 0;
    const int64_t row = block.row * kDotRows;
    if (output != nullptr) rows = output->rows - row;
    for (int t = 0; t < width; ++t) {
      product[t] = sums_of(args, block, t);
      start[t] = args.accumulate ? product[t] : kZeros;
      if (output == nullptr) continue;
      const int64_t tile = block.tile + t;
      out[t] = output->out + block.row * output->row_panel_stride + (tile >> 1) * output->panel_stride +
               (tile & 1) * kTileRows;
      bias[t] = output->bias == nullptr ? _mm512_setzero_ps()
                                        : _mm512_loadu_ps(output->bias + tile * kTileRows);
    }
  }
  Fate fate() const {
    if (output == nullptr) return Fate::keep;
    return output->function == Function::none ? Fate::finish : Fate::finish_gelu;
  }
  template <Fate fate>
  MXDIT_INLINE void take(int64_t row, int t) const {
    if (t >= width) return;
    __m512 x = _mm512_add_ps(_mm512_load_ps(room->tile(0, t) + row * kTileRows),
                             _mm512_loadu_ps(start[t] + row * start_stride));
    if constexpr (fate == Fate::keep) {
      _mm512_storeu_ps(product[t] + row * kDotRows, x);
    } else {
      if (row >= rows) return;
      x = _mm512_add_ps(x, bias[t]);
      if constexpr (fate == Fate::finish_gelu) x = gelu_tanh(x);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[t] + row * output->stride),
                          (__m256i)_mm512_cvtneps_pbh(x));
    }
  }
};

// What is read next, asked for at each step: it comes from L3.
struct Ahead {
  Prefetch left;  // of the next rows
  bool accumulate;
  const float* start[kBlockTiles];  // of the next block

  MXDIT_INLINE void step(int64_t s) {
    left.some();
    if (!accumulate || s >= kDotRows) return;
    for (const float* tile : start)
      _mm_prefetch(reinterpret_cast<const char*>(tile + s * kDotRows), _MM_HINT_T1);
  }
};

// What a block reads.
struct BlockFactors {
  const uint8_t *left, *right[kBlockTiles];

  BlockFactors(const MultiplyPanelsArgs& args, const Block& block)
      : left(args.left + block.row * args.left_stride) {
    for (int t = 0; t < kBlockTiles; ++t) {
      const int64_t tile = block.tile + (t < block.width ? t : 0);
      right[t] = args.right + (tile >> 1) * args.right_stride + (tile & 1) * kTileBytes;
    }
  }
};

// Tile registers: sums of row half h with column tile t in 3 h + t; 6 is left, 7 right. Their numbers
// have to be literals.
#define MXDIT_LEAVE(number) \
  _tile_stored(number, room.tile((number) / kBlockTiles, (number) % kBlockTiles), SumsRoom::kStride)

#define MXDIT_BEGIN(number)     \
  if (leave) MXDIT_LEAVE(number); \
  _tile_zero(number);           \
  _tile_dpbf16ps(number, 6, 7)

// The first step. `leave`: the tiles hold sums.
template <int width>
MXDIT_INLINE void begin_block(const BlockFactors& of, SumsRoom& room, bool leave) {
  _tile_loadd(6, of.left, kDotStep);
  _tile_loadd(7, of.right[0], kDotStep);
  MXDIT_BEGIN(0);
  _tile_loadd(6, of.left + kTileBytes, kDotStep);
  MXDIT_BEGIN(3);
  _tile_loadd(7, of.right[1], kDotStep);
  MXDIT_BEGIN(4);
  _tile_loadd(6, of.left, kDotStep);
  MXDIT_BEGIN(1);
  if constexpr (width == 3) {
    _tile_loadd(7, of.right[2], kDotStep);
    MXDIT_BEGIN(2);
    _tile_loadd(6, of.left + kTileBytes, kDotStep);
    MXDIT_BEGIN(5);
  } else if (leave) {
    MXDIT_LEAVE(2);
    MXDIT_LEAVE(5);
  }
}

inline void leave_tiles(SumsRoom& room) {
  MXDIT_LEAVE(0);
  MXDIT_LEAVE(1);
  MXDIT_LEAVE(2);
  MXDIT_LEAVE(3);
  MXDIT_LEAVE(4);
  MXDIT_LEAVE(5);
}

// The steps from the second on, and the sums of the block before.
template <int width, Fate fate>
__attribute__((noinline)) void continue_block(const BlockFactors& of, int64_t steps,
                                              const BlockSums& sums, Ahead& ahead) {
  const BlockSums before = sums;  // which no store can change: its parts stay in registers
  const uint8_t *a = of.left, *b0 = of.right[0], *b1 = of.right[1], *b2 = of.right[2];
  constexpr bool kTakes = fate != Fate::none;
  const int64_t rows_a_step = steps > 2 ? (kDotRows + steps - 3) / (steps - 2) : kDotRows;
  int64_t row = 0, until = 0;  // none behind the second step: the sums are on their way
  for (int64_t s = 1; s < steps; ++s, until += rows_a_step) {
    a += kDotStepBytes, b0 += kDotStepBytes, b1 += kDotStepBytes, b2 += kDotStepBytes;
    const bool takes = kTakes && row < until && row < kDotRows;
    _tile_loadd(6, a, kDotStep);
    _tile_loadd(7, b0, kDotStep);
    _tile_dpbf16ps(0, 6, 7);
    ahead.step(s);
    _tile_loadd(6, a + kTileBytes, kDotStep);
    _tile_dpbf16ps(3, 6, 7);
    if (takes) before.take<fate>(row, 0);
    _tile_loadd(7, b1, kDotStep);
    _tile_dpbf16ps(4, 6, 7);
    _tile_loadd(6, a, kDotStep);
    _tile_dpbf16ps(1, 6, 7);
    if (takes) before.take<fate>(row, 1);
    if constexpr (width == 3) {
      _tile_loadd(7, b2, kDotStep);
      _tile_dpbf16ps(2, 6, 7);
      _tile_loadd(6, a + kTileBytes, kDotStep);
      _tile_dpbf16ps(5, 6, 7);
    }
    if (!takes) continue;
    before.take<fate>(row++, 2);
    for (; row < until && row < kDotRows; ++row)
      for (int t = 0; t < kBlockTiles; ++t) before.take<fate>(row, t);
  }
  for (; kTakes && row < kDotRows; ++row)  // where there are few steps
    for (int t = 0; t < kBlockTiles; ++t) before.take<fate>(row, t);
}

template <int width>
void multiply_block(const BlockFactors& of, int64_t steps, const BlockSums& before, Fate fate,
                    Ahead& ahead) {
  begin_block<width>(of, *before.room, fate != Fate::none);
  ahead.step(0);
  if (fate == Fate::none) return continue_block<width, Fate::none>(of, steps, before, ahead);
  if (fate == Fate::keep) return continue_block<width, Fate::keep>(of, steps, before, ahead);
  if (fate == Fate::finish) return continue_block<width, Fate::finish>(of, steps, before, ahead);
  continue_block<width, Fate::finish_gelu>(of, steps, before, ahead);
}

template <Fate fate>
void take_all(const BlockSums& sums) {
  for (int64_t row = 0; row < kDotRows; ++row)
    for (int t = 0; t < kBlockTiles; ++t) sums.take<fate>(row, t);
}

void multiply_panels(const MultiplyPanelsArgs& args) noexcept {
  SumsRoom room;
  configure_tiles();
  const Blocks blocks(args.panels);
  const int64_t lines = args.steps * kDotStepBytes / 64, visits = args.steps * blocks.count_in_row();
  Ahead ahead = {{nullptr, (lines + visits - 1) / visits}, args.accumulate, {}};
  BlockSums before(args, {}, &room);
  Fate fate = Fate::none;  // of the block before
  for (Block block = blocks.first(); block.row < args.left_panels;) {
    const Block next = blocks.after(block);
    if (block.tile == 0) ahead.left.next = args.left + (block.row + 1) * args.left_stride;
    for (int t = 0; t < kBlockTiles; ++t) ahead.start[t] = sums_of(args, next, t);
    const BlockFactors of(args, block);
    if (block.width == 3)
      multiply_block<3>(of, args.steps, before, fate, ahead);
    else
      multiply_block<2>(of, args.steps, before, fate, ahead);
    before = BlockSums(args, block, &room);
    fate = before.fate();
    block = next;
  }
  leave_tiles(room);
  release_tiles();
  if (fate == Fate::keep) return take_all<Fate::keep>(before);
  if (fate == Fate::finish) return take_all<Fate::finish>(before);
  take_all<Fate::finish_gelu>(before);
}

#undef MXDIT_LEAVE
#undef MXDIT_BEGIN

}  // namespace
}  // namespace mxdit::cpu::amx

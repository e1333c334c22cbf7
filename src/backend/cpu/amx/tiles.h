// Tile registers of one thread: every kernel that uses them configures them and gives them back, so
// that no state is left for the system to save at a context switch.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backend/cpu/dot_kernels.h"

#define MXDIT_INLINE inline __attribute__((always_inline))

namespace mxdit::cpu::amx {
namespace {

constexpr int64_t kTileBytes = kDotStepBytes / 2;

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Eight tiles of 16 rows of 64 bytes: palette 1.
inline void configure_tiles() {
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
  __asm__ volatile("" ::: "memory");  // what is written before is seen by tile loads
}
inline void release_tiles() {
  _tile_release();
}

// What is read next and comes from L3, asked for a few lines at a time: many at once would wait for
// each other.
struct Prefetch {
  const uint8_t* next;
  int64_t lines;

  MXDIT_INLINE void some() {
    for (int64_t i = 0; i < lines; ++i, next += 64)
      _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
  }
};

// Tiles 0 to 3 hold the quarters of a product of two panels: where each begins.
constexpr int64_t quarter(int tile) {
  return (tile >> 1) * 16 * kDotRows + (tile & 1) * 16;
}
constexpr int64_t kProductStride = kDotRows * 4;  // bytes from row to row of a product
#define MXDIT_STORE_TILE(tile, block) _tile_stored(tile, (block) + quarter(tile), kProductStride)
#define MXDIT_LOAD_TILE(tile, block) _tile_loadd(tile, (block) + quarter(tile), kProductStride)

inline void store_tiles(float* block) {
  MXDIT_STORE_TILE(0, block);
  MXDIT_STORE_TILE(1, block);
  MXDIT_STORE_TILE(2, block);
  MXDIT_STORE_TILE(3, block);
}

}  // namespace
}  // namespace mxdit::cpu::amx

// Tile registers of one thread: every kernel that uses them configures them and gives them back, so
// that no state is left for the system to save at a context switch.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace mxdit::cpu::amx {
namespace {

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

}  // namespace
}  // namespace mxdit::cpu::amx

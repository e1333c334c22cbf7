// How fast the tile multiplier is: two left by two right tiles, loaded from L1 as the kernels do it
// (one load for each product hides behind it). Sums start anew as often as there, so that those of
// bf16 keep growing in every bit.
#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/peak_kernels.h"

#define MXDIT_PEAK_STEP(multiply, set) \
  _tile_loadd(4, set, 64);             \
  _tile_loadd(6, (set) + 2048, 64);    \
  multiply(0, 4, 6);                   \
  _tile_loadd(7, (set) + 3072, 64);    \
  multiply(1, 4, 7);                   \
  _tile_loadd(5, (set) + 1024, 64);    \
  multiply(2, 5, 6);                   \
  multiply(3, 5, 7)

namespace mxdit::cpu::amx {
namespace {

inline const uint8_t* set_of(const uint8_t* operands, int64_t step) {
  return operands + step % kPeakSets * kPeakSetBytes;
}

inline void clear_sums() noexcept {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

float finish() noexcept {
  alignas(64) float sums[16][16];
  _tile_stored(3, sums, 64);
  release_tiles();
  return sums[0][0];
}

}  // namespace

float int8_peak(int64_t rounds, const uint8_t* operands) noexcept {
  configure_tiles();
  for (int64_t round = 0; round < rounds; ++round) {
    clear_sums();
    for (int64_t step = 0; step < kTilePasses * kPeakSets; ++step) {
      const uint8_t* set = set_of(operands, step);
      MXDIT_PEAK_STEP(_tile_dpbssd, set);
    }
  }
  return finish();
}

float bf16_peak(int64_t rounds, const uint8_t* operands) noexcept {
  configure_tiles();
  for (int64_t round = 0; round < rounds; ++round) {
    clear_sums();
    for (int64_t step = 0; step < kTilePasses * kPeakSets; ++step) {
      const uint8_t* set = set_of(operands, step);
      MXDIT_PEAK_STEP(_tile_dpbf16ps, set);
    }
  }
  return finish();
}

}  // namespace mxdit::cpu::amx

// How fast the tile multiplier is when nothing is loaded: two left by two right tiles, as the
// kernels have them. Sums start anew as often as there, so that bf16 ones keep growing in every bit.
#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/peak_kernels.h"

namespace mxdit::cpu::amx {
namespace {

void start(const uint8_t* operands) noexcept {
  configure_tiles();
  _tile_loadd(4, operands, 64);
  _tile_loadd(5, operands + 1024, 64);
  _tile_loadd(6, operands + 2048, 64);
  _tile_loadd(7, operands + 3072, 64);
}

void clear_sums() noexcept {
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
  start(operands);
  for (int64_t round = 0; round < rounds; ++round) {
    clear_sums();
    for (int64_t step = 0; step < kTileSteps; ++step) {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(1, 4, 7);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    }
  }
  return finish();
}

float bf16_peak(int64_t rounds, const uint8_t* operands) noexcept {
  start(operands);
  for (int64_t round = 0; round < rounds; ++round) {
    clear_sums();
    for (int64_t step = 0; step < kTileSteps; ++step) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  return finish();
}

}  // namespace mxdit::cpu::amx

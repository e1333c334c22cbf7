// Small products on tiles against plain loops. Runs in a process of its own: where the tile
// registers do not work the first instruction ends it.
#include "backend/cpu/amx/self_test.h"

#include "backend/cpu/amx/tiles.h"

namespace mxdit::cpu {
namespace amx {
namespace {

constexpr int kTile = 16;

bool int8_products_are_right() noexcept {
  alignas(64) int8_t a[kTile][64], b[kTile][64];
  alignas(64) int32_t sums[kTile][kTile];
  for (int i = 0; i < kTile; ++i)
    for (int j = 0; j < 64; ++j) {
      a[i][j] = static_cast<int8_t>((i * 37 + j * 11) % 255 - 127);
      b[i][j] = static_cast<int8_t>((i * 53 + j * 29) % 255 - 127);
    }
  configure_tiles();
  _tile_zero(0);
  _tile_loadd(1, a, 64);
  _tile_loadd(2, b, 64);
  _tile_dpbssd(0, 1, 2);
  _tile_stored(0, sums, 64);
  release_tiles();
  for (int m = 0; m < kTile; ++m)
    for (int n = 0; n < kTile; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < 64; ++k) sum += a[m][k] * b[k / 4][n * 4 + k % 4];
      if (sum != sums[m][n]) return false;
    }
  return true;
}

// Small whole numbers, exact in bf16 and in every order of summation.
bool bf16_products_are_right() noexcept {
  alignas(64) uint16_t a[kTile][32], b[kTile][32];
  alignas(64) float sums[kTile][kTile];
  const auto number = [](int i, int j) { return static_cast<float>((i * 7 + j * 3) % 17 - 8); };
  const auto bits = [](float value) {
    return static_cast<uint16_t>(__builtin_bit_cast(uint32_t, value) >> 16);
  };
  for (int i = 0; i < kTile; ++i)
    for (int j = 0; j < 32; ++j) {
      a[i][j] = bits(number(i, j));
      b[i][j] = bits(number(i + 5, j * 2));
    }
  configure_tiles();
  _tile_zero(0);
  _tile_loadd(1, a, 64);
  _tile_loadd(2, b, 64);
  _tile_dpbf16ps(0, 1, 2);
  _tile_stored(0, sums, 64);
  release_tiles();
  for (int m = 0; m < kTile; ++m)
    for (int n = 0; n < kTile; ++n) {
      float sum = 0.0f;
      for (int k = 0; k < 32; ++k)
        sum += number(m, k) * number(k / 2 + 5, (n * 2 + k % 2) * 2);
      if (sum != sums[m][n]) return false;
    }
  return true;
}

}  // namespace

bool products_are_right() noexcept {
  return int8_products_are_right() && bf16_products_are_right();
}

}  // namespace amx
}  // namespace mxdit::cpu

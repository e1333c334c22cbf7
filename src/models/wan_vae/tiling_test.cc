// The blender against diffusers' algorithm written out: all tiles kept whole, blended in place.
#include "models/wan_vae/tiling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace mxdit::wan_vae {
namespace {

struct Tile {
  int64_t height = 0, width = 0;
  std::vector<float> values;  // one frame, one channel
  float& at(int64_t y, int64_t x) { return values[static_cast<size_t>(y * width + x)]; }
};

Tile make_tile(int64_t height, int64_t width, int64_t seed) {
  Tile tile{height, width, {}};
  for (int64_t i = 0; i < height * width; ++i)
    tile.values.push_back(1.5f * std::sin(static_cast<float>(seed * 131 + i * 7)));
  return tile;
}

void blend_vertically(Tile& above, Tile& tile, int64_t blend) {
  blend = std::min({above.height, tile.height, blend});
  for (int64_t y = 0; y < blend; ++y)
    for (int64_t x = 0; x < tile.width; ++x) {
      const double share = double(y) / double(blend);
      tile.at(y, x) =
          above.at(above.height - blend + y, x) * float(1 - share) + tile.at(y, x) * float(share);
    }
}

void blend_horizontally(Tile& left, Tile& tile, int64_t blend) {
  blend = std::min({left.width, tile.width, blend});
  for (int64_t x = 0; x < blend; ++x)
    for (int64_t y = 0; y < tile.height; ++y) {
      const double share = double(x) / double(blend);
      tile.at(y, x) =
          left.at(y, left.width - blend + x) * float(1 - share) + tile.at(y, x) * float(share);
    }
}

using Rows = std::vector<std::vector<Tile>>;

Rows make_tiles(const TileGrid& grid, int64_t frame) {
  Rows rows;
  for (size_t r = 0; r < grid.rows.tiles.size(); ++r) {
    rows.emplace_back();
    for (size_t c = 0; c < grid.columns.tiles.size(); ++c)
      rows[r].push_back(make_tile(grid.rows.tiles[r].out_size, grid.columns.tiles[c].out_size,
                                  frame * 100 + static_cast<int64_t>(r * 10 + c)));
  }
  return rows;
}

std::vector<float> reference(const TileGrid& grid, int64_t frame, bool clamp) {
  Rows rows = make_tiles(grid, frame);
  std::vector<std::vector<float>> lines;
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t height = std::min(rows[r][0].height, grid.rows.out_stride);
    const size_t first = lines.size();
    lines.resize(first + static_cast<size_t>(height));
    for (size_t c = 0; c < rows[r].size(); ++c) {
      Tile& tile = rows[r][c];
      if (r > 0) blend_vertically(rows[r - 1][c], tile, grid.rows.out_blend);
      if (c > 0) blend_horizontally(rows[r][c - 1], tile, grid.columns.out_blend);
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < std::min(tile.width, grid.columns.out_stride); ++x)
          lines[first + static_cast<size_t>(y)].push_back(tile.at(y, x));
    }
  }
  std::vector<float> out;
  for (int64_t y = 0; y < grid.rows.out_extent; ++y)
    for (int64_t x = 0; x < grid.columns.out_extent; ++x) {
      const float value = lines[static_cast<size_t>(y)].at(static_cast<size_t>(x));
      out.push_back(clamp ? std::clamp(value, -1.0f, 1.0f) : value);
    }
  return out;
}

void compare(const TileGrid& grid, bool clamp) {
  constexpr int64_t kFrames = 2;
  const int64_t height = grid.rows.out_extent, width = grid.columns.out_extent;
  Tensor out = Tensor::host(DType::f32, {1, kFrames, height, width});
  TileBlender blender(grid, clamp, out);
  std::vector<Rows> clip = {make_tiles(grid, 0), make_tiles(grid, 1)};
  for (size_t r = 0; r < grid.rows.tiles.size(); ++r)
    for (size_t c = 0; c < grid.columns.tiles.size(); ++c) {
      blender.begin_tile(r, c);
      for (const Rows& rows : clip) {
        const Tile& tile = rows[r][c];
        Tensor frame = Tensor::host(DType::f32, {1, tile.height, tile.width, 1});
        std::copy(tile.values.begin(), tile.values.end(), frame.as_mutable<float>());
        blender.place(frame);
      }
    }
  for (int64_t f = 0; f < kFrames; ++f) {
    const std::vector<float> expected = reference(grid, f, clamp);
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(out.as<float>()[f * height * width + static_cast<int64_t>(i)], expected[i])
          << "frame " << f << " element " << i;
  }
}

TEST(TileBlender, IsDiffusersBlendingBitForBit) {
  const TilingOptions tilings[] = {
      {true, 256, 256, 192, 192}, {true, 32, 40, 24, 24}, {true, 64, 32, 16, 32},
      {true, 16, 16, 8, 16},      {true, 48, 24, 40, 8},
  };
  const int64_t sizes[][2] = {{60, 104}, {7, 8}, {1, 33}, {33, 1}, {5, 5}, {13, 9}};
  for (const TilingOptions& tiling : tilings)
    for (const auto& size : sizes) {
      compare(decode_grid(size[0], size[1], tiling, 8), true);
      compare(encode_grid(size[0] * 8, size[1] * 8, tiling, 8), false);
      compare(encode_grid(size[0] * 8 + 5, size[1] * 8 + 3, tiling, 8), false);
    }
}

TEST(TileGrid, IsOneTileWhereNothingHasToBeCut) {
  for (const TilingOptions& tiling : {TilingOptions{}, TilingOptions{true, 256, 256, 192, 192}}) {
    const TileGrid grid = decode_grid(32, 32, tiling, 8);
    EXPECT_EQ(grid.rows.tiles.size(), 1u);
    EXPECT_EQ(grid.columns.tiles.size(), 1u);
  }
  EXPECT_EQ(decode_grid(33, 32, {true, 256, 256, 192, 192}, 8).rows.tiles.size(), 2u);
}

TEST(CutFrame, TakesAWindowChannelsLast) {
  Tensor clip = Tensor::host(DType::f32, {2, 3, 4, 5});
  for (int64_t i = 0; i < clip.elements(); ++i) clip.as_mutable<float>()[i] = float(i);
  const Tensor frame = cut_frame(clip, 1, {1, 2, 0, 0}, {2, 3, 0, 0});
  ASSERT_EQ(frame.shape(), Shape({1, 2, 3, 2}));
  for (int64_t y = 0; y < 2; ++y)
    for (int64_t x = 0; x < 3; ++x)
      for (int64_t c = 0; c < 2; ++c)
        EXPECT_EQ(frame.as<float>()[(y * 3 + x) * 2 + c],
                  float(((c * 3 + 1) * 4 + y + 1) * 5 + x + 2));
}

}  // namespace
}  // namespace mxdit::wan_vae

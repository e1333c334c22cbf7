#include "media/palette.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mxdit::media {
namespace {

std::vector<uint8_t> gradient(int width, int height) {
  std::vector<uint8_t> rgb;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      rgb.push_back(static_cast<uint8_t>(x * 255 / width));
      rgb.push_back(static_cast<uint8_t>(y * 255 / height));
      rgb.push_back(static_cast<uint8_t>((x + y) * 255 / (width + height)));
    }
  return rgb;
}

TEST(PaletteTest, FewColoursAreKeptExactly) {
  const std::vector<uint8_t> rgb{255, 0, 0, 0, 0, 255, 255, 0, 1, 255, 0, 0};
  const Palette palette = build_palette(rgb.data(), 4, 255);
  EXPECT_TRUE(palette.exact);
  ASSERT_EQ(palette.colours.size(), 3u);
  std::vector<uint8_t> indices(4);
  PaletteMapper(palette).map(rgb.data(), 4, 1, indices.data(), 4);
  for (size_t i = 0; i < 4; ++i)
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(palette.colours[indices[i]][c], rgb[3 * i + c]);
}

TEST(PaletteTest, ManyColoursKeepTheirMean) {
  const int size = 128;
  const auto rgb = gradient(size, size);
  const Palette palette = build_palette(rgb.data(), rgb.size() / 3, 255);
  EXPECT_FALSE(palette.exact);
  EXPECT_EQ(palette.colours.size(), 255u);
  std::vector<uint8_t> indices(rgb.size() / 3);
  PaletteMapper(palette).map(rgb.data(), size, size, indices.data(), size);
  double squares = 0, drift = 0;
  for (size_t i = 0; i < rgb.size(); ++i) {
    const double d = palette.colours[indices[i / 3]][i % 3] - double{1} * rgb[i];
    squares += d * d;
    drift += d;
  }
  const auto count = static_cast<double>(rgb.size());
  EXPECT_GT(10 * std::log10(255.0 * 255.0 * count / squares), 28.0);
  EXPECT_LT(std::abs(drift / count), 1.0);
}

TEST(PaletteTest, LimitsAreKept) {
  const auto rgb = gradient(64, 64);
  for (const size_t limit : {1u, 2u, 17u})
    EXPECT_EQ(build_palette(rgb.data(), rgb.size() / 3, limit).colours.size(), limit);
}

}  // namespace
}  // namespace mxdit::media

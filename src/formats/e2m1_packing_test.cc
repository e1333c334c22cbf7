#include "formats/e2m1_packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/element.h"

namespace mxdit {
namespace {

constexpr float kGrid[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

TEST(E2m1Packing, KnowsExactlyTheValuesOfTheGrid) {
  int known = 0;
  for (int code = 0; code < 256; ++code) {
    const float value = e4m3_to_float(static_cast<uint8_t>(code));
    const auto packed = e2m1_of_e4m3(static_cast<uint8_t>(code));
    bool on_grid = false;
    for (const float magnitude : kGrid) on_grid |= std::fabs(value) == magnitude;
    ASSERT_EQ(packed.has_value(), on_grid) << code;
    if (!packed) continue;
    ++known;
    EXPECT_EQ(std::fabs(value), kGrid[*packed & 7]) << code;
    EXPECT_EQ(std::signbit(value), (*packed & 8) != 0) << code;  // also of zero
  }
  EXPECT_EQ(known, 16);
}

TEST(E2m1Packing, PutsTheFirstIntoTheLowNibble) {
  const uint8_t codes[] = {0x38, 0xCC, 0x00, 0x80};  // 1, -6, 0, -0
  uint8_t packed[2] = {};
  EXPECT_EQ(pack_e2m1(codes, 4, packed), 4u);
  EXPECT_EQ(packed[0], 0xF2);
  EXPECT_EQ(packed[1], 0x80);
}

TEST(E2m1Packing, FindsTheFirstValueOffTheGrid) {
  uint8_t packed[2];
  const uint8_t second[] = {0x38, 0x39, 0x50, 0x38};
  EXPECT_EQ(pack_e2m1(second, 4, packed), 1u);
  const uint8_t third[] = {0x38, 0x38, 0x7F, 0x38};  // NaN
  EXPECT_EQ(pack_e2m1(third, 4, packed), 2u);
}

TEST(E2m1Packing, ComesBackFromEveryByte) {
  uint8_t packed[256], codes[512], again[256];
  for (size_t i = 0; i < 256; ++i) packed[i] = static_cast<uint8_t>(i);
  unpack_e2m1(packed, 512, codes);
  EXPECT_EQ(e4m3_to_float(codes[2 * 0xF2]), 1.0f);
  EXPECT_EQ(e4m3_to_float(codes[2 * 0xF2 + 1]), -6.0f);
  EXPECT_EQ(pack_e2m1(codes, 512, again), 512u);
  EXPECT_TRUE(std::equal(packed, packed + 256, again));
}

}  // namespace
}  // namespace mxdit

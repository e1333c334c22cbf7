#include "models/wan_dit/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/wan_dit/time_text_embedding.h"

namespace mxdit::wan_dit {
namespace {

TEST(WanDitRope, SplitsTheHeadIntoAxes) {
  // Head 16: 4 pairs for each of height and width would be 2 * (16 / 6) = 4 values, so 8 for time.
  const RopeAngles angles = rope_angles({2, 3, 4}, 16);
  ASSERT_EQ(angles.cos.shape(), Shape({24, 8}));
  const float* sin = angles.sin.as<float>() + (1 * 12 + 2 * 4 + 3) * 8;  // t 1, h 2, w 3
  EXPECT_FLOAT_EQ(sin[0], std::sin(1.0f));
  EXPECT_FLOAT_EQ(sin[1], static_cast<float>(std::sin(0.1)));  // 10000^(-2/8)
  EXPECT_FLOAT_EQ(sin[4], std::sin(2.0f));
  EXPECT_FLOAT_EQ(sin[5], static_cast<float>(std::sin(0.02)));  // 10000^(-2/4)
  EXPECT_FLOAT_EQ(sin[6], std::sin(3.0f));
}

TEST(WanDitRope, SmallHeadsTurnWithTimeOnly) {
  const RopeAngles angles = rope_angles({2, 2, 2}, 4);
  ASSERT_EQ(angles.cos.shape(), Shape({8, 2}));
  EXPECT_EQ(angles.sin.as<float>()[3 * 2], 0.0f);
  EXPECT_FLOAT_EQ(angles.sin.as<float>()[7 * 2], std::sin(1.0f));
}

TEST(WanDitTimesteps, CosinesComeFirst) {
  const std::array<float, 2> timesteps = {0.0f, 999.0f};
  const Tensor table = timestep_sinusoids(timesteps, 5);
  ASSERT_EQ(table.shape(), Shape({2, 5}));
  const float* row = table.as<float>();
  EXPECT_EQ(row[0], 1.0f);
  EXPECT_EQ(row[2], 0.0f);
  EXPECT_FLOAT_EQ(row[5], std::cos(999.0f));
  EXPECT_FLOAT_EQ(row[7], std::sin(999.0f));
  EXPECT_NEAR(row[8], std::sin(9.99f), 1e-5);
  EXPECT_EQ(row[9], 0.0f);  // an odd width is padded
}

}  // namespace
}  // namespace mxdit::wan_dit

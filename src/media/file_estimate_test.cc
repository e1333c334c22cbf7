#include "media/file_estimate.h"

#include <gtest/gtest.h>

namespace mxdit::media {
namespace {

TEST(FileEstimate, FollowsTheRateFactor) {
  EXPECT_EQ(typical_file_bytes(832, 480, 81, {50}), 4096u + 832 * 480 * 81 / 32);
  // Quality 90 is a factor of 5, 20 steps below that of 50, 25.
  EXPECT_NEAR(static_cast<double>(typical_file_bytes(1600, 800, 8, {90}) - 4096),
              1600 * 800 * 8 / 32 * 10.079, 400.0);
  EXPECT_LT(typical_file_bytes(832, 480, 81, {35}), typical_file_bytes(832, 480, 81, {50}));
}

TEST(FileEstimate, MemoryIsThatOfFramesNotOfTheClip) {
  EXPECT_EQ(writing_memory(1280, 720), (uint64_t{16} << 20) + uint64_t{280} * 1280 * 720);
}

}  // namespace
}  // namespace mxdit::media

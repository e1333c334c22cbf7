// The checker itself: it must read every clip of the domain right, and notice what is wrong.
#include <gtest/gtest.h>

#include <cmath>

#include "e2e/adherence.h"

namespace mxdit {
namespace {

const Palette kPalette = {{"red", {225, 30, 30}},   {"blue", {30, 30, 225}},
                          {"white", {225, 225, 225}}, {"black", {30, 30, 30}}};
const std::map<std::string, std::pair<int, int>> kSteps = {
    {"left", {-1, 0}}, {"right", {1, 0}}, {"up", {0, -1}}, {"down", {0, 1}}, {"none", {0, 0}}};

Video render(const PatternClip& clip, int phase_x, int phase_y) {
  const auto [dx, dy] = kSteps.at(clip.direction);
  std::string tile_name = clip.kind;
  if (tile_name == "stripes") tile_name = dx != 0 ? "stripes-x" : "stripes-y";
  const std::vector<double> tile = pattern_tile(tile_name);
  Video video{64, 64, 13, 8, std::vector<uint8_t>(64 * 64 * 13 * 3)};
  size_t at = 0;
  for (int t = 0; t < 13; ++t)
    for (int y = 0; y < 64; ++y)
      for (int x = 0; x < 64; ++x) {
        const int tx = (x - dx * t + phase_x + 64) % 16, ty = (y - dy * t + phase_y + 64) % 16;
        const double m = tile[static_cast<size_t>(ty * 16 + tx)];
        for (size_t c = 0; c < 3; ++c)
          video.rgb[at++] = static_cast<uint8_t>(std::lround(
              m * kPalette.at(clip.colour)[c] + (1 - m) * kPalette.at(clip.background)[c]));
      }
  return video;
}

TEST(AdherenceChecker, ReadsEveryKindAndDirection) {
  int phase = 0;
  for (const char* kind : {"stripes", "checks", "dots"})
    for (const char* direction : {"left", "right", "up", "down", "none"}) {
      const PatternClip wanted{"red", "blue", kind, direction};
      const PatternClip got = read_pattern(render(wanted, phase % 16, phase * 5 % 16), kPalette);
      const Judgement ok = judge(got, wanted);
      EXPECT_TRUE(ok.colour && ok.background && ok.kind && ok.direction)
          << kind << " " << direction << ": " << got.colour << " " << got.kind << " "
          << got.background << " " << got.direction;
      ++phase;
    }
}

TEST(AdherenceChecker, NoticesWhatIsWrong) {
  const PatternClip made{"white", "black", "dots", "left"};
  const PatternClip got = read_pattern(render(made, 3, 4), kPalette);
  EXPECT_FALSE(judge(got, {"red", "black", "dots", "left"}).colour);
  EXPECT_FALSE(judge(got, {"white", "blue", "dots", "left"}).background);
  EXPECT_FALSE(judge(got, {"white", "black", "checks", "left"}).kind);
  EXPECT_FALSE(judge(got, {"white", "black", "dots", "right"}).direction);
  EXPECT_FALSE(judge(got, {"black", "white", "dots", "left"}).colour);
}

}  // namespace
}  // namespace mxdit

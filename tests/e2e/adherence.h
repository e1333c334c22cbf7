// Reads colour, background, kind of pattern and direction of motion off a clip of the embedded
// model's domain (models/tiny): patterns of 16 x 16 pixel tiles that move 1 pixel a frame.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "mxdit/media.h"

namespace mxdit {

struct PatternClip {
  std::string colour, background, kind, direction;  // direction "none" when nothing moves
};

using Palette = std::map<std::string, std::array<double, 3>>;

// 1. Each pixel takes the nearest palette colour; the two most frequent ones are the pair.
// 2. For shifts of -6..6 px along x and along y: mean squared difference of frame t + 4 and the
//    shifted frame t; the least one decides, below 2 px it is "none".
// 3. The coverage of each pixel between the two colours, every frame moved back against the motion,
//    is averaged over all tiles, and compared with each kind's tile at all 256 phases, either way
//    round; the least squared error decides the kind and which colour is in front.
PatternClip read_pattern(const Video& video, const Palette& palette);

// The tile of a kind, [16][16] coverage of the foreground: "stripes-x" (moving along x),
// "stripes-y", "checks", "dots".
std::vector<double> pattern_tile(const std::string& kind);

struct Judgement {
  bool colour, background, kind, direction;
};

// Stripes and checks look the same with their colours exchanged: the pair counts unordered.
Judgement judge(const PatternClip& got, const PatternClip& wanted);

}  // namespace mxdit

#include "e2e/adherence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mxdit {
namespace {

constexpr int kTile = 16;
constexpr int kLag = 4;       // frames between the two that are compared
constexpr int kMaxShift = 6;  // pixels in kLag frames

struct Motion {
  std::string name = "none";
  int dx = 0, dy = 0;  // pixels a frame
};

int wrap(int value, int size) { return ((value % size) + size) % size; }

const uint8_t* pixel(const Video& v, int frame, int y, int x) {
  return &v.rgb[static_cast<size_t>(((frame * v.height + wrap(y, v.height)) * v.width +
                                     wrap(x, v.width)) * 3)];
}

double squared_distance(const uint8_t* a, const std::array<double, 3>& b) {
  double sum = 0;
  for (int c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

// The two most frequent nearest colours.
std::array<std::string, 2> main_colours(const Video& video, const Palette& palette) {
  std::map<std::string, int64_t> count;
  for (size_t i = 0; i < video.rgb.size(); i += 3) {
    const auto nearest = std::min_element(
        palette.begin(), palette.end(), [&](const auto& a, const auto& b) {
          return squared_distance(&video.rgb[i], a.second) <
                 squared_distance(&video.rgb[i], b.second);
        });
    ++count[nearest->first];
  }
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [name, _] : palette) order.emplace_back(-count[name], name);
  std::sort(order.begin(), order.end());
  return {order[0].second, order[1].second};
}

double shift_error(const Video& v, int sx, int sy) {
  double sum = 0;
  for (int t = 0; t + kLag < v.frames; ++t)
    for (int y = 0; y < v.height; ++y)
      for (int x = 0; x < v.width; ++x)
        for (int c = 0; c < 3; ++c) {
          const double d = pixel(v, t, y - sy, x - sx)[c] - pixel(v, t + kLag, y, x)[c];
          sum += d * d;
        }
  return sum;
}

Motion motion_of(const Video& video) {
  double best = std::numeric_limits<double>::infinity();
  int best_x = 0, best_y = 0;
  // Short shifts first: stripes do not tell whether they slide along themselves.
  for (int s = 0; s <= kMaxShift; ++s) {
    for (const auto& [sx, sy] : {std::pair{-s, 0}, {s, 0}, {0, -s}, {0, s}}) {
      const double error = shift_error(video, sx, sy);
      if (error >= best) continue;
      best = error;
      best_x = sx;
      best_y = sy;
    }
  }
  if (best_x >= 2) return {"right", 1, 0};
  if (best_x <= -2) return {"left", -1, 0};
  if (best_y >= 2) return {"down", 0, 1};
  if (best_y <= -2) return {"up", 0, -1};
  return {};
}

// Mean tile of the coverage between colours a (0) and b (1), with the motion taken out.
std::vector<double> mean_tile(const Video& v, const std::array<double, 3>& a,
                              const std::array<double, 3>& b, const Motion& motion) {
  double length = 0;
  for (int c = 0; c < 3; ++c) length += (b[c] - a[c]) * (b[c] - a[c]);
  std::vector<double> tile(kTile * kTile, 0.0);
  for (int t = 0; t < v.frames; ++t)
    for (int y = 0; y < v.height; ++y)
      for (int x = 0; x < v.width; ++x) {
        const uint8_t* p = pixel(v, t, y + motion.dy * t, x + motion.dx * t);
        double along = 0;
        for (int c = 0; c < 3; ++c) along += (p[c] - a[c]) * (b[c] - a[c]);
        tile[static_cast<size_t>(y % kTile * kTile + x % kTile)] +=
            std::clamp(along / length, 0.0, 1.0);
      }
  const double share = static_cast<double>(v.frames) * v.height * v.width / (kTile * kTile);
  for (double& value : tile) value /= share;
  return tile;
}

double best_phase_error(const std::vector<double>& tile, const std::vector<double>& reference) {
  double best = std::numeric_limits<double>::infinity();
  for (int py = 0; py < kTile; ++py)
    for (int px = 0; px < kTile; ++px) {
      double sum = 0;
      for (int y = 0; y < kTile; ++y)
        for (int x = 0; x < kTile; ++x) {
          const double d =
              tile[static_cast<size_t>(wrap(y + py, kTile) * kTile + wrap(x + px, kTile))] -
              reference[static_cast<size_t>(y * kTile + x)];
          sum += d * d;
        }
      best = std::min(best, sum);
    }
  return best;
}

bool covers(const std::string& kind, double x, double y) {
  if (kind == "stripes-x") return x < 8;
  if (kind == "stripes-y") return y < 8;
  if (kind == "checks") return (x < 8) != (y < 8);
  return (x - 8) * (x - 8) + (y - 8) * (y - 8) < 5.5 * 5.5;  // dots
}

}  // namespace

std::vector<double> pattern_tile(const std::string& kind) {
  constexpr int kSamples = 8;  // a side, per pixel
  std::vector<double> tile(kTile * kTile, 0.0);
  for (int y = 0; y < kTile * kSamples; ++y)
    for (int x = 0; x < kTile * kSamples; ++x)
      if (covers(kind, (x + 0.5) / kSamples, (y + 0.5) / kSamples))
        tile[static_cast<size_t>(y / kSamples * kTile + x / kSamples)] +=
            1.0 / (kSamples * kSamples);
  return tile;
}

PatternClip read_pattern(const Video& video, const Palette& palette) {
  const auto [a, b] = main_colours(video, palette);
  const Motion motion = motion_of(video);
  const std::vector<double> tile = mean_tile(video, palette.at(a), palette.at(b), motion);
  std::vector<double> inverse(tile);
  for (double& value : inverse) value = 1 - value;
  PatternClip clip;
  clip.direction = motion.name;
  double best = std::numeric_limits<double>::infinity();
  for (const char* kind : {"stripes-x", "stripes-y", "checks", "dots"}) {
    for (const bool swapped : {false, true}) {
      const double error = best_phase_error(swapped ? inverse : tile, pattern_tile(kind));
      if (error >= best) continue;
      best = error;
      clip.kind = std::string(kind).substr(0, std::string(kind).find('-'));
      clip.colour = swapped ? a : b;
      clip.background = swapped ? b : a;
    }
  }
  return clip;
}

Judgement judge(const PatternClip& got, const PatternClip& wanted) {
  Judgement result{got.colour == wanted.colour, got.background == wanted.background,
                   got.kind == wanted.kind, got.direction == wanted.direction};
  const bool symmetric = wanted.kind == "stripes" || wanted.kind == "checks";
  if (symmetric && got.colour == wanted.background && got.background == wanted.colour)
    result.colour = result.background = true;
  return result;
}

}  // namespace mxdit

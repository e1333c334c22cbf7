#include "media/palette.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

namespace mxdit::media {
namespace {

// Pixels whose colours agree in the upper 6 bits of each channel, as one point with a weight.
struct Point {
  std::array<float, 3> mean{};
  double weight = 0;
};

struct Box {
  size_t begin = 0, end = 0;
  double error = 0;  // summed over the box
  int axis = 0;      // the channel that spreads most
  std::array<double, 3> mean{};
};

size_t bucket_of(int r, int g, int b) {
  return static_cast<size_t>(r >> 2) << 12 | static_cast<size_t>(g >> 2) << 6 |
         static_cast<size_t>(b >> 2);
}

constexpr size_t kBuckets = size_t{1} << 18;

// All colours in ascending order, or more than `limit` of them when there are too many.
std::vector<Colour> distinct_colours(const uint8_t* rgb, size_t pixels, size_t limit) {
  std::unordered_set<uint32_t> seen;
  uint32_t last = std::numeric_limits<uint32_t>::max();
  for (size_t i = 0; i < pixels && seen.size() <= limit; ++i) {
    const uint32_t colour =
        uint32_t{rgb[3 * i]} << 16 | uint32_t{rgb[3 * i + 1]} << 8 | rgb[3 * i + 2];
    if (colour != last) seen.insert(colour);
    last = colour;
  }
  std::vector<uint32_t> sorted(seen.begin(), seen.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Colour> colours;
  for (const uint32_t c : sorted)
    colours.push_back(
        {static_cast<uint8_t>(c >> 16), static_cast<uint8_t>(c >> 8), static_cast<uint8_t>(c)});
  return colours;
}

std::vector<Point> histogram(const uint8_t* rgb, size_t pixels) {
  std::vector<std::array<uint64_t, 4>> sums(kBuckets);
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* pixel = rgb + 3 * i;
    auto& sum = sums[bucket_of(pixel[0], pixel[1], pixel[2])];
    for (int c = 0; c < 3; ++c) sum[c] += pixel[c];
    ++sum[3];
  }
  std::vector<Point> points;
  for (const auto& sum : sums) {
    if (sum[3] == 0) continue;
    Point point;
    point.weight = static_cast<double>(sum[3]);
    for (int c = 0; c < 3; ++c)
      point.mean[c] = static_cast<float>(static_cast<double>(sum[c]) / point.weight);
    points.push_back(point);
  }
  return points;
}

Box measure(const std::vector<Point>& points, size_t begin, size_t end) {
  Box box{begin, end};
  double weight = 0;
  std::array<double, 3> sum{}, squares{};
  for (size_t i = begin; i < end; ++i) {
    weight += points[i].weight;
    for (int c = 0; c < 3; ++c) {
      const double value = points[i].mean[c];
      sum[c] += points[i].weight * value;
      squares[c] += points[i].weight * value * value;
    }
  }
  double widest = -1;
  for (int c = 0; c < 3; ++c) {
    box.mean[c] = sum[c] / weight;
    const double spread = std::max(0.0, squares[c] - sum[c] * box.mean[c]);
    box.error += spread;
    if (spread > widest) {
      widest = spread;
      box.axis = c;
    }
  }
  if (end - begin == 1) box.error = 0;
  return box;
}

std::vector<Box> split_boxes(std::vector<Point>& points, size_t limit) {
  std::vector<Box> boxes{measure(points, 0, points.size())};
  while (boxes.size() < limit) {
    auto worst = std::max_element(boxes.begin(), boxes.end(),
                                  [](const Box& a, const Box& b) { return a.error < b.error; });
    if (worst->error <= 0) break;
    const Box box = *worst;
    const auto first = points.begin() + static_cast<ptrdiff_t>(box.begin);
    const auto last = points.begin() + static_cast<ptrdiff_t>(box.end);
    const auto middle = std::partition(
        first, last, [&](const Point& point) { return point.mean[box.axis] < box.mean[box.axis]; });
    // Points that differ by rounding only cannot be split.
    if (middle == first || middle == last) {
      worst->error = 0;
      continue;
    }
    const auto cut = static_cast<size_t>(middle - points.begin());
    *worst = measure(points, box.begin, cut);
    boxes.push_back(measure(points, cut, box.end));
  }
  return boxes;
}

template <typename Value>
size_t nearest(const std::vector<std::array<Value, 3>>& colours, const std::array<Value, 3>& colour,
               Value* distance) {
  size_t best = 0;
  *distance = std::numeric_limits<Value>::max();
  for (size_t i = 0; i < colours.size(); ++i) {
    const Value r = colours[i][0] - colour[0], g = colours[i][1] - colour[1],
                b = colours[i][2] - colour[2];
    const Value d = r * r + g * g + b * b;
    if (d < *distance) {
      *distance = d;
      best = i;
    }
  }
  return best;
}

// One round of k-means; returns the mean squared distance before it.
double refine(const std::vector<Point>& points, std::vector<std::array<float, 3>>* centres) {
  std::vector<std::array<double, 4>> sums(centres->size());
  double error = 0, total = 0;
  for (const Point& point : points) {
    float distance = 0;
    auto& sum = sums[nearest(*centres, point.mean, &distance)];
    for (int c = 0; c < 3; ++c) sum[c] += point.weight * point.mean[c];
    sum[3] += point.weight;
    error += point.weight * distance;
    total += point.weight;
  }
  for (size_t i = 0; i < centres->size(); ++i) {
    if (sums[i][3] == 0) continue;
    for (int c = 0; c < 3; ++c) (*centres)[i][c] = static_cast<float>(sums[i][c] / sums[i][3]);
  }
  return error / total;
}

constexpr int kBayer[8][8] = {{0, 32, 8, 40, 2, 34, 10, 42},  {48, 16, 56, 24, 50, 18, 58, 26},
                              {12, 44, 4, 36, 14, 46, 6, 38}, {60, 28, 52, 20, 62, 30, 54, 22},
                              {3, 35, 11, 43, 1, 33, 9, 41},  {51, 19, 59, 27, 49, 17, 57, 25},
                              {15, 47, 7, 39, 13, 45, 5, 37}, {63, 31, 55, 23, 61, 29, 53, 21}};

}  // namespace

Palette build_palette(const uint8_t* rgb, size_t pixels, size_t limit) {
  Palette palette;
  palette.colours = distinct_colours(rgb, pixels, limit);
  palette.exact = palette.colours.size() <= limit;
  if (palette.exact) return palette;

  std::vector<Point> points = histogram(rgb, pixels);
  std::vector<std::array<float, 3>> centres;
  for (const Box& box : split_boxes(points, limit))
    centres.push_back({static_cast<float>(box.mean[0]), static_cast<float>(box.mean[1]),
                       static_cast<float>(box.mean[2])});
  for (int round = 0; round < 4; ++round) palette.rms_error = std::sqrt(refine(points, &centres));
  palette.colours.clear();
  for (const auto& centre : centres) {
    Colour colour;
    for (int c = 0; c < 3; ++c) colour[c] = static_cast<uint8_t>(std::lround(centre[c]));
    palette.colours.push_back(colour);
  }
  return palette;
}

PaletteMapper::PaletteMapper(const Palette& palette) : palette_(palette) {
  if (!palette.exact) cache_.assign(kBuckets, -1);
}

uint8_t PaletteMapper::exact_index(const uint8_t* pixel) const {
  const Colour colour{pixel[0], pixel[1], pixel[2]};
  const auto found = std::lower_bound(palette_.colours.begin(), palette_.colours.end(), colour);
  return static_cast<uint8_t>(found - palette_.colours.begin());
}

uint8_t PaletteMapper::nearest_index(const std::array<int, 3>& colour) {
  int16_t& cached = cache_[bucket_of(colour[0], colour[1], colour[2])];
  if (cached < 0) {
    // The middle of the bucket, so that the answer does not depend on which pixel asks first.
    std::array<int, 3> middle{};
    for (int c = 0; c < 3; ++c) middle[c] = (colour[c] & ~3) + 2;
    int best_distance = std::numeric_limits<int>::max();
    for (size_t i = 0; i < palette_.colours.size(); ++i) {
      int distance = 0;
      for (int c = 0; c < 3; ++c) {
        const int d = palette_.colours[i][c] - middle[c];
        distance += d * d;
      }
      if (distance >= best_distance) continue;
      best_distance = distance;
      cached = static_cast<int16_t>(i);
    }
  }
  return static_cast<uint8_t>(cached);
}

void PaletteMapper::map(const uint8_t* rgb, int width, int height, uint8_t* indices,
                        ptrdiff_t stride) {
  // A uniform quantizer of step s has the error s / sqrt(12) in each channel: s = 2 * rms_error.
  // Half a step hides the edges of flat areas nearly as well, and is much less seen as a pattern.
  const double amplitude = std::min(32.0, palette_.rms_error);
  for (int y = 0; y < height; ++y) {
    uint8_t* out = indices + y * stride;
    for (int x = 0; x < width; ++x, rgb += 3) {
      if (palette_.exact) {
        out[x] = exact_index(rgb);
        continue;
      }
      const int shift =
          static_cast<int>(std::lround(amplitude * ((kBayer[y % 8][x % 8] + 0.5) / 64 - 0.5)));
      std::array<int, 3> colour{};
      for (int c = 0; c < 3; ++c) colour[c] = std::clamp(rgb[c] + shift, 0, 255);
      out[x] = nearest_index(colour);
    }
  }
}

}  // namespace mxdit::media

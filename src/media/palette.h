// Choosing few colours for many: the GIF writer's quantizer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mxdit::media {

using Colour = std::array<uint8_t, 3>;

struct Palette {
  std::vector<Colour> colours;
  bool exact = false;    // holds every colour of the picture, in ascending order
  double rms_error = 0;  // distance in RGB between a pixel and its colour
};

// At most `limit` colours for the pixels of a whole clip: boxes of colours are split where the
// squared error is largest, then refined by a few rounds of k-means.
Palette build_palette(const uint8_t* rgb, size_t pixels, size_t limit);

// Maps frames to palette indices. Inexact palettes are dithered by an ordered 8x8 pattern: unlike
// error diffusion it keeps what stands still free of flicker, and so small in the file.
class PaletteMapper {
 public:
  explicit PaletteMapper(const Palette& palette);
  void map(const uint8_t* rgb, int width, int height, uint8_t* indices, ptrdiff_t stride);

 private:
  uint8_t exact_index(const uint8_t* pixel) const;
  uint8_t nearest_index(const std::array<int, 3>& colour);

  const Palette& palette_;
  std::vector<int16_t> cache_;  // nearest index by 6 bits of each channel, -1: not known yet
};

}  // namespace mxdit::media

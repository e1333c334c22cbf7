// Cutting frames into overlapping tiles and blending what comes out, as diffusers' tiled_decode and
// tiled_encode do. A clip without tiling is one tile.
//
// All tensors here are f32 in host memory: clips [C, F, H, W], frames of a tile [1, h, w, C].
#pragma once

#include <vector>

#include "core/tensor.h"
#include "models/model.h"

namespace mxdit::wan_vae {

// One axis (height or width), input and output of the network in their own units.
struct TileAxis {
  struct Span {
    int64_t in_begin = 0, in_size = 0;
    int64_t out_begin = 0, out_size = 0;
  };
  std::vector<Span> tiles;
  int64_t out_extent = 0;
  int64_t out_stride = 0;  // rows a tile contributes; more lie under the next tile
  int64_t out_blend = 0;   // rows faded from one tile into the next
};

struct TileGrid {
  TileAxis rows, columns;
};

// The tiles of latents h x w that decoding gives s h x s w pixels for, and of frames of H x W
// pixels that encoding gives H / s x W / s latents for (rounded down; tiles too small for one
// latent are left out). One tile when tiling is off or the input fits into one in both directions.
// Error{usage} naming the value for tiles or strides that are no positive multiples of `scale`, or
// a stride that would leave gaps.
TileGrid decode_grid(int64_t height, int64_t width, const TilingOptions& tiling, int64_t scale);
TileGrid encode_grid(int64_t height, int64_t width, const TilingOptions& tiling, int64_t scale);

// Collects the frames of all tiles of a clip. Tiles come row by row, and the frames of a tile in
// the order of time. Beside the clip it keeps only the strips that later tiles fade from.
class TileBlender {
 public:
  // `out` [C, F, H, W] with the out_extent of the grid; values are clamped to -1..1 where `clamp`
  // is set.
  TileBlender(const TileGrid& grid, bool clamp, Tensor out);

  void begin_tile(size_t row, size_t column);
  // The next frame of the tile.
  void place(const Tensor& frame);

 private:
  struct Strip {
    std::vector<float> values;  // [F, h, w, C]
    int64_t height = 0, width = 0;
  };
  Strip make_strip(int64_t height, int64_t width) const;
  void fade_from_above(float* frame) const;
  void fade_from_left(float* frame) const;
  void keep_strips(const float* frame);
  void write(const float* frame);

  const TileAxis rows_, columns_;
  bool clamp_;
  Tensor out_;
  int64_t channels_, frames_;
  size_t row_ = 0, column_ = 0;
  int64_t frame_ = 0, height_ = 0, width_ = 0;  // of the tile being placed
  std::vector<Strip> above_, below_;            // bottom rows, by column
  Strip left_, right_;                          // right columns of the tile before and of this one
};

// Rows `row`, columns `column` of frame `index` of clip [C, F, H, W] as [1, h, w, C].
Tensor cut_frame(const Tensor& clip, int64_t index, const TileAxis::Span& row,
                 const TileAxis::Span& column);

}  // namespace mxdit::wan_vae

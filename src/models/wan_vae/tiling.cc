#include "models/wan_vae/tiling.h"

#include <algorithm>

#include "core/error.h"

namespace mxdit::wan_vae {
namespace {

void check_pair(const char* axis, int64_t tile, int64_t stride, int64_t scale) {
  if (tile < scale || tile % scale != 0 || stride < scale || stride % scale != 0)
    fail(ErrorKind::usage, "[models] VAE tiling: expected a tile ", axis,
         " and a stride that are positive multiples of ", scale, ", got ", tile, " and ", stride);
  if (stride > tile)
    fail(ErrorKind::usage, "[models] VAE tiling: expected a stride of at most the tile ", axis, " ",
         tile, ", got ", stride);
}

// out[i] = from[i] * (1 - position / extent) + out[i] * position / extent, with the weights rounded
// once, as PyTorch does with scalars.
void fade(const float* from, float* out, int64_t count, int64_t position, int64_t extent) {
  const double share = static_cast<double>(position) / static_cast<double>(extent);
  const auto old_weight = static_cast<float>(1.0 - share);
  const auto new_weight = static_cast<float>(share);
  for (int64_t i = 0; i < count; ++i) out[i] = from[i] * old_weight + out[i] * new_weight;
}

void check_tiling(const TilingOptions& tiling, int64_t scale) {
  check_pair("height", tiling.tile_height, tiling.stride_height, scale);
  check_pair("width", tiling.tile_width, tiling.stride_width, scale);
}

TileAxis upscaling_axis(int64_t in_extent, int64_t tile, int64_t stride, int64_t scale) {
  TileAxis axis;
  axis.out_extent = in_extent * scale;
  axis.out_stride = stride * scale;
  axis.out_blend = (tile - stride) * scale;
  for (int64_t begin = 0; begin < in_extent; begin += stride) {
    const int64_t size = std::min(tile, in_extent - begin);
    axis.tiles.push_back({begin, size, begin * scale, size * scale});
  }
  return axis;
}

TileAxis downscaling_axis(int64_t in_extent, int64_t tile, int64_t stride, int64_t scale) {
  TileAxis axis;
  axis.out_extent = in_extent / scale;
  axis.out_stride = std::max<int64_t>(stride / scale, 1);
  axis.out_blend = tile / scale - stride / scale;
  for (int64_t begin = 0; begin < in_extent; begin += stride) {
    const int64_t size = std::min(tile, in_extent - begin);
    if (size >= scale) axis.tiles.push_back({begin, size, begin / scale, size / scale});
  }
  return axis;
}

}  // namespace

TileGrid decode_grid(int64_t height, int64_t width, const TilingOptions& tiling, int64_t scale) {
  int64_t tile_h = height, tile_w = width, stride_h = height, stride_w = width;
  if (tiling.enabled) {
    check_tiling(tiling, scale);
    if (height > tiling.tile_height / scale || width > tiling.tile_width / scale) {
      tile_h = tiling.tile_height / scale, stride_h = tiling.stride_height / scale;
      tile_w = tiling.tile_width / scale, stride_w = tiling.stride_width / scale;
    }
  }
  return {upscaling_axis(height, tile_h, stride_h, scale),
          upscaling_axis(width, tile_w, stride_w, scale)};
}

TileGrid encode_grid(int64_t height, int64_t width, const TilingOptions& tiling, int64_t scale) {
  int64_t tile_h = height, tile_w = width, stride_h = height, stride_w = width;
  if (tiling.enabled) {
    check_tiling(tiling, scale);
    if (height > tiling.tile_height || width > tiling.tile_width) {
      tile_h = tiling.tile_height, stride_h = tiling.stride_height;
      tile_w = tiling.tile_width, stride_w = tiling.stride_width;
    }
  }
  return {downscaling_axis(height, tile_h, stride_h, scale),
          downscaling_axis(width, tile_w, stride_w, scale)};
}

TileBlender::TileBlender(const TileGrid& grid, bool clamp, Tensor out)
    : rows_(grid.rows),
      columns_(grid.columns),
      clamp_(clamp),
      out_(std::move(out)),
      channels_(out_.dim(0)),
      frames_(out_.dim(1)),
      above_(columns_.tiles.size()),
      below_(columns_.tiles.size()) {
  MXDIT_CHECK(out_.dim(2) == rows_.out_extent && out_.dim(3) == columns_.out_extent,
              "[models] tile blender: expected ", rows_.out_extent, " x ", columns_.out_extent,
              ", got ", out_.shape());
}

TileBlender::Strip TileBlender::make_strip(int64_t height, int64_t width) const {
  Strip strip;
  strip.height = height;
  strip.width = width;
  strip.values.resize(static_cast<size_t>(frames_ * height * width * channels_));
  return strip;
}

void TileBlender::begin_tile(size_t row, size_t column) {
  if (column == 0) {
    above_ = std::move(below_);
    below_ = std::vector<Strip>(columns_.tiles.size());
    left_ = Strip();
  } else {
    left_ = std::move(right_);
  }
  right_ = Strip();
  row_ = row;
  column_ = column;
  frame_ = 0;
  height_ = rows_.tiles[row].out_size;
  width_ = columns_.tiles[column].out_size;
  if (row + 1 < rows_.tiles.size())
    below_[column] = make_strip(std::min(rows_.out_blend, height_), width_);
  if (column + 1 < columns_.tiles.size())
    right_ = make_strip(height_, std::min(columns_.out_blend, width_));
}

void TileBlender::place(const Tensor& frame) {
  MXDIT_CHECK(frame.shape() == Shape({1, height_, width_, channels_}) && frame_ < frames_,
              "[models] tile blender: expected frame ", Shape({1, height_, width_, channels_}),
              " number ", frame_, " of ", frames_, ", got ", frame.shape());
  const float* values = frame.as<float>();
  std::vector<float> blended;
  if (rows_.tiles.size() > 1 || columns_.tiles.size() > 1) {
    blended.assign(values, values + frame.elements());
    if (row_ > 0) fade_from_above(blended.data());
    if (column_ > 0) fade_from_left(blended.data());
    keep_strips(blended.data());
    values = blended.data();
  }
  write(values);
  ++frame_;
}

void TileBlender::fade_from_above(float* frame) const {
  const Strip& strip = above_[column_];
  const int64_t extent = std::min(strip.height, height_), run = width_ * channels_;
  const float* from = strip.values.data() + (frame_ * strip.height + strip.height - extent) * run;
  for (int64_t y = 0; y < extent; ++y) fade(from + y * run, frame + y * run, run, y, extent);
}

void TileBlender::fade_from_left(float* frame) const {
  const int64_t extent = std::min(left_.width, width_);
  const float* from = left_.values.data() + frame_ * height_ * left_.width * channels_;
  for (int64_t y = 0; y < height_; ++y) {
    const float* line = from + (y * left_.width + left_.width - extent) * channels_;
    for (int64_t x = 0; x < extent; ++x)
      fade(line + x * channels_, frame + (y * width_ + x) * channels_, channels_, x, extent);
  }
}

void TileBlender::keep_strips(const float* frame) {
  Strip& below = below_[column_];
  const int64_t run = width_ * channels_;
  std::copy_n(frame + (height_ - below.height) * run, below.height * run,
              below.values.data() + frame_ * below.height * run);
  float* to = right_.values.data() + frame_ * right_.height * right_.width * channels_;
  for (int64_t y = 0; y < right_.height; ++y)
    std::copy_n(frame + (y * width_ + width_ - right_.width) * channels_, right_.width * channels_,
                to + y * right_.width * channels_);
}

void TileBlender::write(const float* frame) {
  const TileAxis::Span &row = rows_.tiles[row_], &column = columns_.tiles[column_];
  const int64_t height = std::min(height_, rows_.out_stride);
  const int64_t width = std::min(width_, columns_.out_stride);
  const int64_t out_height = out_.dim(2), out_width = out_.dim(3);
  for (int64_t c = 0; c < channels_; ++c) {
    float* plane = out_.as_mutable<float>() + (c * frames_ + frame_) * out_height * out_width;
    for (int64_t y = 0; y < height; ++y) {
      const float* from = frame + y * width_ * channels_ + c;
      float* to = plane + (row.out_begin + y) * out_width + column.out_begin;
      for (int64_t x = 0; x < width; ++x)
        to[x] = clamp_ ? std::clamp(from[x * channels_], -1.0f, 1.0f) : from[x * channels_];
    }
  }
}

Tensor cut_frame(const Tensor& clip, int64_t index, const TileAxis::Span& row,
                 const TileAxis::Span& column) {
  const int64_t channels = clip.dim(0), height = clip.dim(2), width = clip.dim(3);
  Tensor frame = Tensor::host(DType::f32, {1, row.in_size, column.in_size, channels});
  for (int64_t c = 0; c < channels; ++c) {
    const float* plane = clip.as<float>() + (c * clip.dim(1) + index) * height * width;
    float* to = frame.as_mutable<float>() + c;
    for (int64_t y = 0; y < row.in_size; ++y) {
      const float* from = plane + (row.in_begin + y) * width + column.in_begin;
      for (int64_t x = 0; x < column.in_size; ++x, to += channels) *to = from[x];
    }
  }
  return frame;
}

}  // namespace mxdit::wan_vae

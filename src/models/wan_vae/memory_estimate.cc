#include "models/wan_vae/memory_estimate.h"

#include <algorithm>

#include "core/error.h"
#include "models/wan_vae/conv.h"
#include "models/wan_vae/tiling.h"

namespace mxdit::wan_vae {
namespace {

// Sizes are computed in doubles: exact far beyond any machine, and an absurd request becomes a huge
// number instead of wrapping to a small one.
size_t to_bytes(double bytes) {
  constexpr double kLargest = 4e18;
  return static_cast<size_t>(std::min(bytes, kLargest));
}

// Frames of one stage, in pixels.
struct FrameSize {
  double height, width;
  double plain() const { return height * width; }
  double bordered() const { return (height + 2 * kBorder) * (width + 2 * kBorder); }
  FrameSize doubled() const { return {2 * height, 2 * width}; }
};

double as_double(int64_t value) { return static_cast<double>(value); }

// In elements, for tiles of `size` latent pixels; `later`: there is more than one latent frame.
double history_elements(const Config& config, FrameSize size, bool later) {
  double sum = as_double(config.z_dim) * size.plain() +
               as_double(4 * config.decoder_width()) * size.bordered();
  for (const StageSpec& stage : config.decoder_stages()) {
    int64_t channels = stage.in_channels + (2 * stage.blocks - 1) * stage.out_channels;
    if (!stage.resample) channels += stage.next_channels;  // conv_out
    sum += as_double(channels) * size.bordered();
    if (stage.temporal && later) sum += as_double(stage.out_channels) * size.plain();
    size = size.doubled();
  }
  return (later ? 2 : 1) * sum;
}

// The shortcut, the normed input, the first result, and that normed. Of a single frame the normed
// ones are what is remembered.
double residual_elements(const StageSpec& stage, FrameSize size, bool later) {
  const int64_t widest = std::max(stage.in_channels, stage.out_channels);
  const int64_t normed = later ? widest + stage.out_channels : 0;
  return as_double(2 * stage.out_channels) * size.plain() + as_double(normed) * size.bordered();
}

// The last features, plain and normed, or normed with the frame made of them, also as f32.
double finish_bytes(const Config& config, const StageSpec& stage, FrameSize size, double element) {
  const double as_f32 = element == sizeof(float) ? 0 : sizeof(float);
  const double features = as_double(stage.next_channels) * element;
  const double frame = as_double(config.out_channels) * (element + as_f32);
  return features * size.bordered() + std::max(features, frame) * size.plain();
}

// In bytes, for elements of `element` bytes.
double working_bytes(const Config& config, FrameSize size, bool later, double element) {
  constexpr int64_t kAttentionFrames = 6;
  double peak = as_double(kAttentionFrames * config.decoder_width()) * element * size.plain();
  double held = 0;  // pairs of frames of earlier stages that wait for their second frame
  for (const StageSpec& stage : config.decoder_stages()) {
    const auto need = [&](double bytes) { peak = std::max(peak, held + bytes); };
    const double frame = as_double(stage.out_channels) * element * size.plain();
    need(residual_elements(stage, size, later) * element);
    if (!stage.resample) {
      need(finish_bytes(config, stage, size, element));
      break;
    }
    const bool pair = stage.temporal && later;
    if (pair) need(4 * frame);
    if (pair) held += 2 * frame;
    size = size.doubled();
    const double upsampled = as_double(stage.out_channels) * element * size.bordered();
    const double result = as_double(stage.next_channels) * element * size.plain();
    need(upsampled + std::max(result, pair ? 0 : frame));
  }
  return peak;
}

int64_t largest_tile(const TileAxis& axis) {
  int64_t size = 0;
  for (const TileAxis::Span& tile : axis.tiles) size = std::max(size, tile.in_size);
  return size;
}

// f32 elements: the clip, one frame of a tile as it comes and blended, and the fading strips.
double host_elements(const Config& config, const Shape& latents, const TileGrid& grid) {
  const auto frames = static_cast<double>(config.scale_temporal * (latents[2] - 1) + 1);
  const double area =
      static_cast<double>(grid.rows.out_extent) * static_cast<double>(grid.columns.out_extent);
  double strips = 0;
  if (grid.rows.tiles.size() > 1) {
    // Tiles overlap, so the strips of a row of tiles are longer than the clip is wide.
    int64_t row_width = 0;
    for (const TileAxis::Span& tile : grid.columns.tiles) row_width += tile.out_size;
    strips += static_cast<double>(2 * grid.rows.out_blend * row_width);
  }
  if (grid.columns.tiles.size() > 1)
    strips += static_cast<double>(2 * grid.columns.out_blend * largest_tile(grid.rows) *
                                  config.scale_spatial);
  return static_cast<double>(config.out_channels) *
         (frames * (static_cast<double>(latents[0]) * area + strips) + 2 * area);
}

}  // namespace

DecodeMemory estimate_decode_memory(const Config& config, const Shape& latents,
                                    const TilingOptions& tiling, DType compute) {
  constexpr int64_t kMaxExtent = int64_t{1} << 20;
  if (latents.rank() != 5 || latents[1] != config.z_dim)
    fail(ErrorKind::usage, "[models] VAE decode: expected latents [B, ", config.z_dim,
         ", F, h, w], got ", latents);
  for (const int64_t extent : latents.dims())
    if (extent < 1 || extent > kMaxExtent)
      fail(ErrorKind::usage, "[models] VAE decode: expected extents from 1 to ", kMaxExtent,
           ", got ", latents);
  const TileGrid grid = decode_grid(latents[3], latents[4], tiling, config.scale_spatial);
  const FrameSize size = {as_double(largest_tile(grid.rows)),
                          as_double(largest_tile(grid.columns))};
  const auto element = static_cast<double>(element_size(compute));
  const bool later = latents[2] > 1;
  DecodeMemory memory;
  memory.history = to_bytes(history_elements(config, size, later) * element);
  memory.working = to_bytes(working_bytes(config, size, later, element));
  memory.host = to_bytes(host_elements(config, latents, grid) * sizeof(float));
  return memory;
}

}  // namespace mxdit::wan_vae

#include "models/wan_vae/memory_estimate.h"

#include <algorithm>

#include "core/error.h"
#include "models/wan_vae/tiling.h"

namespace mxdit::wan_vae {
namespace {

// In elements, for tiles of `pixels` latent pixels; `later`: there is more than one latent frame.
int64_t history_elements(const Config& config, int64_t pixels, bool later) {
  constexpr int64_t kFrames = 2;
  int64_t sum = (config.z_dim + 4 * config.decoder_width()) * pixels;
  for (const StageSpec& stage : config.decoder_stages()) {
    sum += (stage.in_channels + (2 * stage.blocks - 1) * stage.out_channels) * pixels;
    if (stage.temporal && later) sum += stage.out_channels * pixels;
    if (stage.resample) pixels *= 4;
    if (!stage.resample) sum += stage.next_channels * pixels;  // conv_out
  }
  return kFrames * sum;
}

int64_t residual_elements(const StageSpec& stage, int64_t pixels) {
  return (stage.in_channels + stage.out_channels +
          std::max(stage.in_channels, stage.out_channels)) *
         pixels;
}

int64_t working_elements(const Config& config, int64_t pixels, bool later) {
  constexpr int64_t kAttentionFrames = 6;
  int64_t peak = kAttentionFrames * config.decoder_width() * pixels;
  int64_t held = 0;  // pairs of frames of earlier stages that wait for their second frame
  for (const StageSpec& stage : config.decoder_stages()) {
    const int64_t frame = stage.out_channels * pixels;
    peak = std::max(peak, held + residual_elements(stage, pixels));
    if (!stage.resample) continue;
    const bool pair = stage.temporal && later;
    if (pair) peak = std::max(peak, held + 4 * frame);
    held += pair ? 2 * frame : 0;
    const int64_t next = 4 * pixels * stage.next_channels;
    peak = std::max(peak, held + 4 * frame + std::max(next, pair ? 0 : frame));
    pixels *= 4;
  }
  return peak;
}

int64_t largest_tile(const TileAxis& axis) {
  int64_t size = 0;
  for (const TileAxis::Span& tile : axis.tiles) size = std::max(size, tile.in_size);
  return size;
}

// f32 elements: the clip, one frame of a tile as it comes and blended, and the fading strips.
int64_t host_elements(const Config& config, const Shape& latents, const TileAxis& rows,
                      const TileAxis& columns) {
  const int64_t frames = config.scale_temporal * (latents[2] - 1) + 1;
  const int64_t height = rows.out_extent, width = columns.out_extent;
  int64_t strips = 0;
  if (rows.tiles.size() > 1) {
    // Tiles overlap, so the strips of a row of tiles are longer than the clip is wide.
    int64_t row_width = 0;
    for (const TileAxis::Span& tile : columns.tiles) row_width += tile.out_size;
    strips += 2 * rows.out_blend * row_width;
  }
  if (columns.tiles.size() > 1)
    strips += 2 * columns.out_blend * largest_tile(rows) * config.scale_spatial;
  const int64_t channels = config.out_channels;
  return channels * (frames * (latents[0] * height * width + strips) + 2 * height * width);
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
  const auto [rows, columns] = decode_grid(latents[3], latents[4], tiling, config.scale_spatial);
  const int64_t pixels = largest_tile(rows) * largest_tile(columns);
  const bool later = latents[2] > 1;
  DecodeMemory memory;
  const size_t element = element_size(compute);
  memory.history = static_cast<size_t>(history_elements(config, pixels, later)) * element;
  memory.working = static_cast<size_t>(working_elements(config, pixels, later)) * element;
  memory.host = static_cast<size_t>(host_elements(config, latents, rows, columns)) * sizeof(float);
  return memory;
}

}  // namespace mxdit::wan_vae

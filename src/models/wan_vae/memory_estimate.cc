#include "models/wan_vae/memory_estimate.h"

#include <algorithm>

#include "core/error.h"
#include "models/wan_vae/tiling.h"

namespace mxdit::wan_vae {
namespace {

// Sizes are computed in doubles: exact far beyond any machine, and an absurd request becomes a huge
// number instead of wrapping to a small one.
size_t to_bytes(double bytes) {
  constexpr double kLargest = 4e18;
  return static_cast<size_t>(std::min(bytes, kLargest));
}

// In elements, for tiles of `pixels` latent pixels; `later`: there is more than one latent frame.
double history_elements(const Config& config, double pixels, bool later) {
  constexpr double kFrames = 2;
  double sum = static_cast<double>(config.z_dim + 4 * config.decoder_width()) * pixels;
  for (const StageSpec& stage : config.decoder_stages()) {
    int64_t channels = stage.in_channels + (2 * stage.blocks - 1) * stage.out_channels;
    if (stage.temporal && later) channels += stage.out_channels;
    if (!stage.resample) channels += stage.next_channels;  // conv_out
    sum += static_cast<double>(channels) * pixels;
    pixels *= 4;
  }
  return kFrames * sum;
}

int64_t residual_channels(const StageSpec& stage) {
  return stage.out_channels + 2 * std::max(stage.in_channels, stage.out_channels);
}

// The last features, the frame made of them, and the frame as f32. In bytes per pixel.
int64_t finish_bytes(const Config& config, const StageSpec& stage, int64_t element) {
  const int64_t as_f32 = element == sizeof(float) ? 0 : sizeof(float);
  return (stage.next_channels + config.out_channels) * element + config.out_channels * as_f32;
}

// In bytes, for elements of `element` bytes.
double working_bytes(const Config& config, double pixels, bool later, int64_t element) {
  constexpr int64_t kAttentionFrames = 6;
  double peak = static_cast<double>(kAttentionFrames * config.decoder_width() * element) * pixels;
  double held = 0;  // pairs of frames of earlier stages that wait for their second frame
  for (const StageSpec& stage : config.decoder_stages()) {
    const auto need = [&](int64_t bytes_per_pixel) {
      peak = std::max(peak, held + static_cast<double>(bytes_per_pixel) * pixels);
    };
    const int64_t frame = stage.out_channels * element;
    need(residual_channels(stage) * element);
    if (!stage.resample) {
      need(finish_bytes(config, stage, element));
      break;
    }
    const bool pair = stage.temporal && later;
    if (pair) need(4 * frame);
    if (pair) held += static_cast<double>(2 * frame) * pixels;
    need(4 * frame + std::max(4 * stage.next_channels * element, pair ? 0 : frame));
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
  const double pixels = static_cast<double>(largest_tile(grid.rows)) *
                        static_cast<double>(largest_tile(grid.columns));
  const auto element = static_cast<int64_t>(element_size(compute));
  const bool later = latents[2] > 1;
  DecodeMemory memory;
  memory.history = to_bytes(history_elements(config, pixels, later) * static_cast<double>(element));
  memory.working = to_bytes(working_bytes(config, pixels, later, element));
  memory.host = to_bytes(host_elements(config, latents, grid) * sizeof(float));
  return memory;
}

}  // namespace mxdit::wan_vae

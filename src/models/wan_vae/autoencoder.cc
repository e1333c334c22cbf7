#include "models/wan_vae/autoencoder.h"

#include "layers/tensor_use.h"
#include "models/wan_vae/config.h"
#include "models/wan_vae/decoder.h"
#include "models/wan_vae/encoder.h"
#include "models/wan_vae/tiling.h"
#include "ops/ops.h"

namespace mxdit {
namespace wan_vae {
namespace {

void check_clip(const char* call, const char* what, const Tensor& clip, int64_t channels,
                int64_t smallest) {
  const bool fits = clip.defined() && clip.dtype() == DType::f32 && clip.shape().rank() == 5 &&
                    clip.dim(0) >= 1 && clip.dim(1) == channels && clip.dim(2) >= 1 &&
                    clip.dim(3) >= smallest && clip.dim(4) >= smallest;
  if (!fits)
    fail(ErrorKind::usage, "[models] VAE ", call, ": expected ", what, " F32 [B, ", channels,
         ", F, H, W] with H and W of at least ", smallest, ", got ",
         clip.defined() ? name(clip.dtype()) : "no tensor", " ", clip.shape());
}

// Row `row` of [B, C, F, H, W] as [C, F, H, W], sharing memory.
Tensor batch_row(const Tensor& batch, int64_t row) {
  return batch.slice(row, row + 1)
      .reshape({batch.dim(1), batch.dim(2), batch.dim(3), batch.dim(4)});
}

// Counts the chunks of a call: what one latent frame stands for, in one tile.
class ChunkCounter {
 public:
  ChunkCounter(const UnitProgress& progress, const CancelToken* cancel, int64_t total)
      : progress_(progress), cancel_(cancel), total_(total) {}
  void begin() const { check_cancelled(cancel_); }
  void end() {
    ++done_;
    if (progress_) progress_(done_, total_);
  }

 private:
  const UnitProgress& progress_;
  const CancelToken* cancel_;
  int64_t total_, done_ = 0;
};

int64_t tile_count(const TileGrid& grid) {
  return static_cast<int64_t>(grid.rows.tiles.size() * grid.columns.tiles.size());
}

}  // namespace

class Autoencoder : public VideoAutoencoder {
 public:
  Autoencoder(const ModelSource& source, const Config& config, const TensorUse& use)
      : backend_(*source.backend),
        compute_(source.compute),
        config_(config),
        encoder_(Encoder::load(source, config)),
        decoder_(Decoder::load(source, config)),
        unused_(use.unused(*source.weights, {})) {}

  int64_t latent_channels() const override { return config_.z_dim; }
  int64_t scale_temporal() const override { return config_.scale_temporal; }
  int64_t scale_spatial() const override { return config_.scale_spatial; }
  const std::vector<float>& latents_mean() const override { return config_.latents_mean; }
  const std::vector<float>& latents_std() const override { return config_.latents_std; }

  std::vector<std::string> unused_tensors() const override { return unused_; }

  Tensor decode(const Tensor& latents, const TilingOptions& tiling, const UnitProgress& progress,
                const CancelToken* cancel) const override {
    check_clip("decode", "latents", latents, config_.z_dim, 1);
    const TileGrid grid =
        decode_grid(latents.dim(3), latents.dim(4), tiling, config_.scale_spatial);
    const int64_t batch = latents.dim(0), chunks = latents.dim(2);
    Tensor frames = Tensor::host(
        DType::f32, {batch, config_.out_channels, config_.scale_temporal * (chunks - 1) + 1,
                     grid.rows.out_extent, grid.columns.out_extent});
    ChunkCounter counter(progress, cancel, batch * tile_count(grid) * chunks);
    for (int64_t b = 0; b < batch; ++b) {
      TileBlender blender(grid, true, batch_row(frames, b));
      for_each_tile(grid, blender, [&](const TileAxis::Span& row, const TileAxis::Span& column) {
        decode_tile(batch_row(latents, b), row, column, blender, counter, cancel);
      });
    }
    return frames;
  }

  // Frames beyond the last whole chunk are left out, as in diffusers.
  Tensor encode(const Tensor& frames, const TilingOptions& tiling, const UnitProgress& progress,
                const CancelToken* cancel) const override {
    check_clip("encode", "frames", frames, config_.in_channels, config_.scale_spatial);
    const TileGrid grid = encode_grid(frames.dim(3), frames.dim(4), tiling, config_.scale_spatial);
    const int64_t batch = frames.dim(0);
    const int64_t chunks = (frames.dim(2) - 1) / config_.scale_temporal + 1;
    Tensor moments = Tensor::host(DType::f32, {batch, 2 * config_.z_dim, chunks,
                                               grid.rows.out_extent, grid.columns.out_extent});
    ChunkCounter counter(progress, cancel, batch * tile_count(grid) * chunks);
    for (int64_t b = 0; b < batch; ++b) {
      TileBlender blender(grid, false, batch_row(moments, b));
      for_each_tile(grid, blender, [&](const TileAxis::Span& row, const TileAxis::Span& column) {
        encode_tile(batch_row(frames, b), row, column, blender, counter, cancel);
      });
    }
    return moments;
  }

 private:
  template <typename Work>
  static void for_each_tile(const TileGrid& grid, TileBlender& blender, const Work& work) {
    for (size_t row = 0; row < grid.rows.tiles.size(); ++row) {
      for (size_t column = 0; column < grid.columns.tiles.size(); ++column) {
        blender.begin_tile(row, column);
        work(grid.rows.tiles[row], grid.columns.tiles[column]);
      }
    }
  }

  Tensor upload(const Tensor& host) const {
    return ops::cast(backend_, backend_.from_host(host), compute_);
  }
  Tensor download(const Tensor& frame) const {
    return backend_.to_host(ops::cast(backend_, frame, DType::f32));
  }

  void decode_tile(const Tensor& clip, const TileAxis::Span& row, const TileAxis::Span& column,
                   TileBlender& blender, ChunkCounter& counter, const CancelToken* cancel) const {
    Decoder::State state = decoder_.start(cancel);
    const auto emit = [&](const Tensor& frame) { blender.place(download(frame)); };
    for (int64_t f = 0; f < clip.dim(1); ++f) {
      counter.begin();
      decoder_.push(upload(cut_frame(clip, f, row, column)), state, emit);
      counter.end();
    }
  }

  void encode_tile(const Tensor& clip, const TileAxis::Span& row, const TileAxis::Span& column,
                   TileBlender& blender, ChunkCounter& counter, const CancelToken* cancel) const {
    Encoder::State state = encoder_.start(cancel);
    const int64_t used = clip.dim(1) - (clip.dim(1) - 1) % config_.scale_temporal;
    for (int64_t f = 0; f < used; ++f) {
      counter.begin();
      const auto moments = encoder_.push(upload(cut_frame(clip, f, row, column)), state);
      if (!moments) continue;
      blender.place(download(*moments));
      counter.end();
    }
  }

  Backend& backend_;
  DType compute_;
  Config config_;
  Encoder encoder_;
  Decoder decoder_;
  std::vector<std::string> unused_;
};

}  // namespace wan_vae

std::unique_ptr<VideoAutoencoder> make_wan_autoencoder(const ModelSource& given) {
  const wan_vae::Config config = wan_vae::parse_config(*given.config, given.config_file);
  TensorUse use;
  ModelSource source = given;
  source.use = &use;
  return std::make_unique<wan_vae::Autoencoder>(source, config, use);
}

}  // namespace mxdit

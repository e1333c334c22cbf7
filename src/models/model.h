// The three kinds of network a video pipeline is made of, as the stages see them.
//
// Tensors are in diffusers' shapes and in host-order layout [B, C, F, H, W]; each model converts to
// its own layout inside. Models are immutable after loading.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/cancel.h"
#include "layers/model_source.h"

namespace mxdit {

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  virtual int64_t width() const = 0;  // d_model
  virtual int64_t vocabulary() const = 0;
  // ids i32 [B, S] host; lengths[b] tokens of row b are real. Returns f32 or bf16 [B, S, width]
  // with rows from lengths[b] on set to zero.
  virtual Tensor encode(const Tensor& ids, std::span<const int64_t> lengths,
                        const CancelToken* cancel) const = 0;
  // Tensors of the checkpoint that this model did not read and is not known to ignore; sorted.
  virtual std::vector<std::string> unused_tensors() const { return {}; }
};

// What a denoiser derives from the prompt and the image alone (Wan: keys and values of every
// cross-attention). Only the model that made it looks inside; immutable, so steps may share it.
class TextContext {
 public:
  virtual ~TextContext() = default;
};

struct DenoiserInput {
  Tensor latents;       // [B, C, F, H, W], compute dtype or f32
  // One timestep per batch row, or per token ([B * tokens]) for models with expand_timesteps.
  std::vector<float> timesteps;
  bool timestep_per_token = false;
  Tensor text;          // [B, S, text_dim]
  Tensor image;         // [B, I, image_dim] or undefined
  // encode_context(text, image) of the same model; when set, text and image are not looked at.
  std::shared_ptr<const TextContext> context;
};

class Denoiser {
 public:
  virtual ~Denoiser() = default;
  virtual int64_t in_channels() const = 0;
  virtual int64_t out_channels() const = 0;
  virtual int64_t text_width() const = 0;
  virtual std::array<int64_t, 3> patch_size() const = 0;
  // Work that is the same for all steps of a prompt, to be done once and handed over with every
  // input. Null when there is none; a forward without a context computes its own.
  virtual std::shared_ptr<const TextContext> encode_context(const Tensor& /*text*/,
                                                            const Tensor& /*image*/) const {
    return nullptr;
  }
  // Whether encode_context() would still give what it gave when it made `context`: a timestep policy
  // may have changed the precision since. forward() takes an older one as it is.
  virtual bool is_current(const TextContext& /*context*/) const { return true; }
  // Predicted velocity [B, out_channels, F, H, W] in the compute dtype.
  // Error{usage} when F, H, W are no multiples of the patch.
  virtual Tensor forward(const DenoiserInput& input, const CancelToken* cancel) const = 0;
  virtual std::vector<std::string> unused_tensors() const { return {}; }
};

// Called after each unit of work of a long call.
using UnitProgress = std::function<void(int64_t done, int64_t total)>;

struct TilingOptions {
  bool enabled = false;
  // In pixels; diffusers' defaults.
  int64_t tile_height = 256, tile_width = 256, stride_height = 192, stride_width = 192;
};

class VideoAutoencoder {
 public:
  virtual ~VideoAutoencoder() = default;
  virtual int64_t latent_channels() const = 0;
  virtual int64_t scale_temporal() const = 0;
  virtual int64_t scale_spatial() const = 0;
  virtual const std::vector<float>& latents_mean() const = 0;
  virtual const std::vector<float>& latents_std() const = 0;
  // Denormalised latents f32 [B, z, F, H, W] -> frames f32 [B, 3, 4(F-1)+1, 8H, 8W], clamped to
  // -1..1.
  virtual Tensor decode(const Tensor& latents, const TilingOptions& tiling,
                        const UnitProgress& progress, const CancelToken* cancel) const = 0;
  // Frames f32 [B, 3, F, H, W] -> mean and log-variance, f32 [B, 2z, (F-1)/4+1, H/8, W/8].
  virtual Tensor encode(const Tensor& frames, const TilingOptions& tiling,
                        const UnitProgress& progress, const CancelToken* cancel) const = 0;
  virtual std::vector<std::string> unused_tensors() const { return {}; }
};

}  // namespace mxdit

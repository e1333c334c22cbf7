// The noise a video starts from: drawn from the seed, or taken from a file.
//
// Reads params (size, seed, latents_path), video. Writes latents.
#pragma once

#include "stages/stage.h"

namespace mxdit {

class PrepareLatents : public Stage {
 public:
  std::string name() const override { return "LatentPreparationStage"; }
  void run(const Components& components, const RunContext& context,
           RunState& state) const override;
};

// Latents of one video, [1, z, F, h, w] for the sizes of `params`.
Shape latent_shape(const VideoAutoencoder& vae, int64_t channels, const SamplingParams& params);

// Row `video` of the tensor `latents` of a safetensors file, as f32. Errors name the file and both
// shapes.
Tensor read_latents(Backend& backend, const std::string& path, const Shape& row, int64_t video,
                    int64_t videos);

}  // namespace mxdit

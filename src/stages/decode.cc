#include "stages/decode.h"

#include <algorithm>
#include <cmath>

#include "stages/prepare_latents.h"

namespace mxdit {
namespace {

// The VAE works on latents * std + mean, channel by channel.
Tensor denormalise(const VideoAutoencoder& vae, const Tensor& latents) {
  Tensor result = Tensor::host(DType::f32, latents.shape());
  const int64_t channels = latents.dim(1);
  const int64_t plane = latents.elements() / channels;
  for (int64_t c = 0; c < channels; ++c) {
    // diffusers divides by the reciprocal; the same roundings keep the comparison tight.
    const float inverse = 1.0f / vae.latents_std()[static_cast<size_t>(c)];
    const float mean = vae.latents_mean()[static_cast<size_t>(c)];
    const float* from = latents.as<float>() + c * plane;
    float* to = result.as_mutable<float>() + c * plane;
    for (int64_t i = 0; i < plane; ++i) to[i] = from[i] / inverse + mean;
  }
  return result;
}

}  // namespace

void Decode::run(const Components& components, const RunContext& context, RunState& state) const {
  const VideoAutoencoder& vae = *components.vae;
  if (!state.params.from_latents_path.empty())
    state.latents =
        read_latents(*components.backend, state.params.from_latents_path,
                     latent_shape(vae, vae.latent_channels(), state.params), state.video,
                     state.params.videos());
  StageProgress progress(context, "decode", state.latents.dim(2));
  state.frames = vae.decode(
      denormalise(vae, state.latents), state.params.tiling,
      [&](int64_t done, int64_t total) { progress.step(done, total); }, context.cancel);
  if (state.trace != nullptr) {
    state.trace->append_host("latents_final", state.latents);
    state.trace->append_host("frames", state.frames);
  }
  progress.end();
}

Video to_video(const Tensor& frames, double fps) {
  Video video;
  video.frames = static_cast<int>(frames.dim(2));
  video.height = static_cast<int>(frames.dim(3));
  video.width = static_cast<int>(frames.dim(4));
  video.fps = fps;
  const int64_t plane = frames.elements() / 3;
  video.rgb.resize(static_cast<size_t>(frames.elements()));
  const float* from = frames.as<float>();
  for (int64_t i = 0; i < plane; ++i) {
    for (int64_t c = 0; c < 3; ++c) {
      const float unit = std::clamp(from[c * plane + i] / 2.0f + 0.5f, 0.0f, 1.0f);
      video.rgb[static_cast<size_t>(i * 3 + c)] =
          static_cast<uint8_t>(std::nearbyint(unit * 255.0f));
    }
  }
  return video;
}

}  // namespace mxdit

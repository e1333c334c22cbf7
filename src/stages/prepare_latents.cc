#include "stages/prepare_latents.h"

#include <cmath>

#include "checkpoint/weight_store.h"
#include "ops/ops.h"
#include "schedulers/noise.h"

namespace mxdit {

Shape latent_shape(const VideoAutoencoder& vae, int64_t channels, const SamplingParams& params) {
  return {1, channels, (params.num_frames - 1) / vae.scale_temporal() + 1,
          params.height / vae.scale_spatial(), params.width / vae.scale_spatial()};
}

Tensor read_latents(Backend& backend, const std::string& path, const Shape& row, int64_t video,
                    int64_t videos) {
  const WeightStore file = WeightStore::open(path);
  const Tensor stored = file.get("latents");
  std::vector<int64_t> dims = row.dims();
  dims[0] = videos;
  if (stored.shape() != Shape(dims))
    fail(ErrorKind::bad_input, "[stages] ", path, ": tensor latents: expected shape ", Shape(dims),
         " (videos, channels, frames, height, width of this run), got ", stored.shape());
  const Tensor latents = backend.to_host(
      ops::cast(backend, backend.from_host(stored.slice(video, video + 1)), DType::f32));
  for (int64_t i = 0; i < latents.elements(); ++i)
    if (!std::isfinite(latents.as<float>()[i]))
      fail(ErrorKind::bad_input, "[stages] ", path, ": tensor latents: expected finite numbers, got ",
           latents.as<float>()[i], " at element ", i);
  return latents;
}

void PrepareLatents::run(const Components& components, const RunContext&, RunState& state) const {
  const SamplingParams& params = state.params;
  const Shape shape = latent_shape(*components.vae, components.vae->latent_channels(), params);
  if (!params.latents_path.empty()) {
    state.latents = read_latents(*components.backend, params.latents_path, shape, state.video,
                                 params.videos());
  } else {
    TorchCpuGenerator generator(params.seed + static_cast<uint64_t>(state.video));
    state.latents = generator.randn(shape);
  }
  if (state.trace != nullptr)
    state.trace->append_host("latents_init", state.latents);
}

}  // namespace mxdit

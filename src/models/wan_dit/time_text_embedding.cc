#include "models/wan_dit/time_text_embedding.h"

#include <cmath>

#include "ops/ops.h"

namespace mxdit::wan_dit {

Tensor timestep_sinusoids(std::span<const float> timesteps, int64_t width) {
  const int64_t half = width / 2;
  Tensor result = Tensor::host(DType::f32, {static_cast<int64_t>(timesteps.size()), width});
  float* row = result.as_mutable<float>();
  const float log_period = static_cast<float>(-std::log(10000.0));
  for (const float timestep : timesteps) {
    for (int64_t i = 0; i < half; ++i) {
      // In fp32 throughout, as diffusers: angles go up to 1000, so the rounding shows.
      const float exponent = log_period * static_cast<float>(i) / static_cast<float>(half);
      const float angle = timestep * std::exp(exponent);
      row[i] = std::cos(angle);
      row[half + i] = std::sin(angle);
    }
    if (width % 2 == 1) row[width - 1] = 0.0f;
    row += width;
  }
  return result;
}

TimeTextEmbedding::TimeTextEmbedding(const ModelSource& source, const std::string& scope,
                                     const Config& config)
    : backend_(*source.backend),
      compute_(source.compute),
      freq_dim_(config.freq_dim),
      inner_(config.inner()),
      time_(source, scope + ".time_embedder.linear_1", scope + ".time_embedder.linear_2",
            {config.freq_dim, config.inner(), config.inner()}, Activation::silu),
      time_projection_(source, scope + ".time_proj", 6 * config.inner(), config.inner(),
                       Bias::required),
      text_(source, scope + ".text_embedder.linear_1", scope + ".text_embedder.linear_2",
            {config.text_dim, config.inner(), config.inner()}, Activation::gelu_tanh) {
  if (config.image_dim) image_.emplace(source, scope + ".image_embedder", config);
}

Conditioning TimeTextEmbedding::time(const TimestepRows& rows) const {
  const Tensor sinusoids = backend_.from_host(timestep_sinusoids(rows.distinct(), freq_dim_));
  const Tensor embedding = ops::cast(backend_, time_(sinusoids), compute_);
  const Tensor projected = time_projection_(ops::activate(backend_, Activation::silu, embedding));
  const int64_t distinct = embedding.dim(0);
  constexpr std::array<int, 3> kPartsFirst = {1, 0, 2};
  const Tensor parts =
      ops::permute(backend_, projected.reshape({distinct, 6, inner_}), kPartsFirst);
  return {&rows, ops::cast(backend_, embedding, DType::f32),
          ops::cast(backend_, parts, DType::f32)};
}

}  // namespace mxdit::wan_dit

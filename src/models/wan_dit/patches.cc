#include "models/wan_dit/patches.h"

#include "core/error.h"
#include "layers/parameters.h"
#include "ops/ops.h"

namespace mxdit::wan_dit {

PatchEmbedding::PatchEmbedding(const ModelSource& source, const std::string& scope,
                               const Config& config)
    : backend_(*source.backend), patch_(config.patch_size) {
  const Tensor kernel =
      load_stored(source, scope + ".weight",
                  {config.inner(), config.in_channels, patch_[0], patch_[1], patch_[2]});
  weight_ = backend_.prepare_linear(
      kernel.reshape({config.inner(), config.in_channels * config.patch_volume()}),
      {.bias = true});
  bias_ = load_parameter(source, scope + ".bias", {config.inner()});
}

Tensor PatchEmbedding::operator()(const Tensor& latents, const Grid& grid) const {
  const int64_t batch = latents.dim(0), channels = latents.dim(1);
  const Tensor split = latents.reshape(
      {batch, channels, grid[0], patch_[0], grid[1], patch_[1], grid[2], patch_[2]});
  constexpr std::array<int, 8> kPatchesFirst = {0, 2, 4, 6, 1, 3, 5, 7};
  const Tensor patches = ops::permute(backend_, split, kPatchesFirst);
  const int64_t width = channels * patch_[0] * patch_[1] * patch_[2];
  return ops::linear(backend_, patches.reshape({batch, tokens(grid), width}), *weight_, &bias_);
}

Grid patch_grid(const Shape& latents, const Config& config) {
  constexpr std::array<const char*, 3> kAxes = {"frames", "height", "width"};
  Grid grid{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t size = latents[static_cast<int>(axis) + 2], patch = config.patch_size[axis];
    if (size < patch || size % patch != 0)
      fail(ErrorKind::usage, "[models] wan_dit latent ", kAxes[axis],
           ": expected a positive multiple of ", patch, " (patch_size), got ", size);
    grid[axis] = size / patch;
    if (grid[axis] > config.rope_max_seq_len)
      fail(ErrorKind::usage, "[models] wan_dit latent ", kAxes[axis], ": expected at most ",
           config.rope_max_seq_len, " patches (rope_max_seq_len), got ", grid[axis]);
  }
  return grid;
}

Tensor unpatchify(Backend& backend, const Tensor& tokens, const Grid& grid, const Config& config) {
  const auto& patch = config.patch_size;
  const int64_t batch = tokens.dim(0), channels = config.out_channels;
  const Tensor split =
      tokens.reshape({batch, grid[0], grid[1], grid[2], patch[0], patch[1], patch[2], channels});
  constexpr std::array<int, 8> kChannelsFirst = {0, 7, 1, 4, 2, 5, 3, 6};
  return ops::permute(backend, split, kChannelsFirst)
      .reshape({batch, channels, grid[0] * patch[0], grid[1] * patch[1], grid[2] * patch[2]});
}

}  // namespace mxdit::wan_dit

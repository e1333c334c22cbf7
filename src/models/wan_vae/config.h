// What config.json of an AutoencoderKLWan (Wan 2.1 layout) says, checked, and the layers it
// implies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mxdit::wan_vae {

// One resolution of the encoder or decoder: residual blocks, then (but for the last one) a
// resampling by two in height and width, and in time where `temporal` is set.
struct StageSpec {
  int64_t in_channels = 0;   // of the first residual block
  int64_t out_channels = 0;  // of all residual blocks
  int64_t blocks = 0;
  bool resample = false;
  bool temporal = false;
  // After resampling: an upsampling halves the channels, a downsampling keeps them.
  int64_t next_channels = 0;
};

struct Config {
  int64_t base_dim = 96;
  int64_t decoder_base_dim = 96;
  int64_t z_dim = 16;
  std::vector<int64_t> dim_mult = {1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  std::vector<bool> temporal_downsample = {false, true, true};  // "temperal_downsample"
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t scale_temporal = 4;
  int64_t scale_spatial = 8;
  std::vector<float> latents_mean, latents_std;  // z_dim each

  // Outermost first: encoder stages from the pixels, decoder stages from the latents.
  std::vector<StageSpec> encoder_stages() const;
  std::vector<StageSpec> decoder_stages() const;
  int64_t encoder_width() const { return base_dim * dim_mult.back(); }
  int64_t decoder_width() const { return decoder_base_dim * dim_mult.back(); }
};

// Keys that diffusers gives a default may be missing; `dropout` and `clip_output` change nothing
// at inference (diffusers always clips what it decodes). Errors, naming `file` and key:
// bad_input for a value that cannot be meant (nothing is allocated from it), unsupported for
// is_residual (the Wan2.2 VAE), patch_size, attn_scales and channel counts other than 3.
Config parse_config(const nlohmann::json& json, const std::string& file);

}  // namespace mxdit::wan_vae

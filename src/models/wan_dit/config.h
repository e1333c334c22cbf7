// config.json of diffusers' WanTransformer3DModel (0.42), every field.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "io/json_file.h"

namespace mxdit::wan_dit {

struct Config {
  std::array<int64_t, 3> patch_size = {1, 2, 2};  // time, height, width
  int64_t num_attention_heads = 40;
  int64_t attention_head_dim = 128;
  int64_t in_channels = 16;
  int64_t out_channels = 16;
  int64_t text_dim = 4096;
  int64_t freq_dim = 256;
  int64_t ffn_dim = 13824;
  int64_t num_layers = 40;
  bool cross_attn_norm = true;
  float eps = 1e-6f;
  std::optional<int64_t> image_dim;          // width of image embeddings; none: text only
  std::optional<int64_t> added_kv_proj_dim;  // separate keys and values for the image
  int64_t rope_max_seq_len = 1024;           // positions per axis
  std::optional<int64_t> pos_embed_seq_len;  // tokens of first and last image together

  int64_t inner() const noexcept { return num_attention_heads * attention_head_dim; }
  // Positions that one token covers.
  int64_t patch_volume() const noexcept { return patch_size[0] * patch_size[1] * patch_size[2]; }
};

// A missing field has diffusers' default. Fields diffusers does not know are left out of account,
// as it does. Errors, naming file and key: bad_input for a value out of range, unsupported for a
// valid one that mxdit does not compute.
Config parse_config(const Json& json, const std::string& file);

}  // namespace mxdit::wan_dit

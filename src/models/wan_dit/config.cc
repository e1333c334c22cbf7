#include "models/wan_dit/config.h"

#include <vector>

#include "core/error.h"
#include "models/config_values.h"

namespace mxdit::wan_dit {

namespace {

std::array<int64_t, 3> parse_patch(const Json& json, const std::string& file) {
  const auto patch =
      optional_or<std::vector<int64_t>>(json, "patch_size", std::vector<int64_t>{1, 2, 2}, file);
  if (patch.size() != 3)
    fail(ErrorKind::bad_input, "[models] ", file, " patch_size: expected 3 values, got ",
         patch.size());
  for (const int64_t side : patch)
    if (side < 1 || side > 64)
      fail(ErrorKind::bad_input, "[models] ", file, " patch_size: expected values of 1..64, got ",
           side);
  return {patch[0], patch[1], patch[2]};
}

void check_sizes(const Config& config, const std::string& file) {
  if (config.inner() > kMaxExtent)
    fail(ErrorKind::bad_input, "[models] ", file,
         " num_attention_heads * attention_head_dim: expected at most ", kMaxExtent, ", got ",
         config.inner());
  if (config.attention_head_dim % 2 != 0)
    fail(ErrorKind::bad_input, "[models] ", file,
         " attention_head_dim: expected an even number (pairs are rotated), got ",
         config.attention_head_dim);
  if (config.freq_dim < 2)
    fail(ErrorKind::bad_input, "[models] ", file, " freq_dim: expected at least 2, got ",
         config.freq_dim);
}

// Variants of the network that another implementation of Wan may state.
void check_variant(const Json& json, const Config& config, const std::string& file) {
  // diffusers builds the RMS norms whatever this says; any other word asks for something else.
  const std::string norm = optional_or<std::string>(json, "qk_norm", "rms_norm_across_heads", file);
  if (norm != "rms_norm_across_heads")
    fail(ErrorKind::unsupported, "[models] ", file,
         " qk_norm: expected \"rms_norm_across_heads\", got \"", norm, "\"");
  const auto window =
      optional_or<std::vector<int64_t>>(json, "window_size", std::vector<int64_t>{-1, -1}, file);
  for (const int64_t side : window)
    if (side != -1)
      fail(ErrorKind::unsupported, "[models] ", file,
           " window_size: expected [-1, -1] (global attention), got ", side);
  if (config.added_kv_proj_dim && !config.image_dim)
    fail(ErrorKind::unsupported, "[models] ", file,
         " image_dim: expected a width since added_kv_proj_dim is set, got none");
  // The projections read image tokens after their embedding, which are as wide as the model.
  if (config.added_kv_proj_dim && *config.added_kv_proj_dim != config.inner())
    fail(ErrorKind::bad_input, "[models] ", file, " added_kv_proj_dim: expected ", config.inner(),
         ", got ", *config.added_kv_proj_dim);
}

}  // namespace

Config parse_config(const Json& json, const std::string& file) {
  Config config;
  const auto read = [&](int64_t& value, const char* key) {
    value = extent_or(json, key, value, file);
  };
  config.patch_size = parse_patch(json, file);
  read(config.num_attention_heads, "num_attention_heads");
  read(config.attention_head_dim, "attention_head_dim");
  read(config.in_channels, "in_channels");
  if (json.is_object() && json.contains("out_channels") && json["out_channels"].is_null())
    config.out_channels = config.in_channels;
  else
    read(config.out_channels, "out_channels");
  read(config.text_dim, "text_dim");
  read(config.freq_dim, "freq_dim");
  read(config.ffn_dim, "ffn_dim");
  read(config.num_layers, "num_layers");
  config.cross_attn_norm = optional_or<bool>(json, "cross_attn_norm", true, file);
  config.eps = epsilon_or(json, "eps", 1e-6, file);
  config.image_dim = optional_extent(json, "image_dim", file);
  config.added_kv_proj_dim = optional_extent(json, "added_kv_proj_dim", file);
  read(config.rope_max_seq_len, "rope_max_seq_len");
  config.pos_embed_seq_len = optional_extent(json, "pos_embed_seq_len", file);
  check_sizes(config, file);
  check_variant(json, config, file);
  return config;
}

}  // namespace mxdit::wan_dit

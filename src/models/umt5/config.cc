#include "models/umt5/config.h"

#include "core/error.h"
#include "models/config_values.h"

namespace mxdit::umt5 {

namespace {

// transformers derives both from feed_forward_proj, but a file may state them and then they win.
void check_feed_forward(const Json& json, const std::string& file) {
  const auto check = [&](const char* key, const std::string& expected) {
    const std::string got = optional_or<std::string>(json, key, expected, file);
    if (got != expected)
      fail(ErrorKind::unsupported, "[models] ", file, " ", key, ": expected \"", expected,
           "\", got \"", got, "\"");
  };
  check("feed_forward_proj", "gated-gelu");
  check("dense_act_fn", "gelu_new");
  if (!optional_or<bool>(json, "is_gated_act", true, file))
    fail(ErrorKind::unsupported, "[models] ", file, " is_gated_act: expected true, got false");
}

void check_positions(const Config& config, const std::string& file) {
  // A quarter of the buckets is exact, the next quarter logarithmic, the rest mirrors both.
  const int64_t exact = config.position_buckets / 4;
  if (config.position_buckets % 4 != 0 || config.position_buckets > 65536)
    fail(ErrorKind::bad_input, "[models] ", file, " relative_attention_num_buckets: expected a ",
         "multiple of 4 up to 65536, got ", config.position_buckets);
  if (config.max_distance <= exact)
    fail(ErrorKind::bad_input, "[models] ", file, " relative_attention_max_distance: expected ",
         "above ", exact, ", got ", config.max_distance);
}

}  // namespace

Config parse_config(const Json& json, const std::string& file) {
  check_feed_forward(json, file);
  if (optional_or<bool>(json, "is_decoder", false, file))
    fail(ErrorKind::unsupported, "[models] ", file, " is_decoder: expected false, got true");
  Config config;
  config.vocab_size = extent(json, "vocab_size", file);
  config.d_model = extent(json, "d_model", file);
  config.d_kv = extent(json, "d_kv", file);
  config.num_heads = extent(json, "num_heads", file);
  config.d_ff = extent(json, "d_ff", file);
  config.num_layers = extent(json, "num_layers", file);
  config.position_buckets =
      extent_or(json, "relative_attention_num_buckets", config.position_buckets, file);
  config.max_distance =
      extent_or(json, "relative_attention_max_distance", config.max_distance, file);
  config.eps = epsilon_or(json, "layer_norm_epsilon", 1e-6, file);
  check_positions(config, file);
  if (config.inner() > kMaxExtent)
    fail(ErrorKind::bad_input, "[models] ", file, " num_heads * d_kv: expected at most ",
         kMaxExtent, ", got ", config.inner());
  return config;
}

}  // namespace mxdit::umt5

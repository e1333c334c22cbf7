// config.json of transformers' UMT5EncoderModel.
#pragma once

#include <cstdint>
#include <string>

#include "io/json_file.h"

namespace mxdit::umt5 {

struct Config {
  int64_t vocab_size;
  int64_t d_model;
  int64_t d_kv;  // per head
  int64_t num_heads;
  int64_t d_ff;
  int64_t num_layers;
  int64_t position_buckets = 32;
  int64_t max_distance = 128;
  float eps = 1e-6f;

  int64_t inner() const noexcept { return num_heads * d_kv; }
};

// Sizes have to be stated; the rest has transformers' defaults. Errors, naming file and key:
// bad_input for a value out of range, unsupported for a variant of the network other than an
// encoder with gated tanh-GELU.
Config parse_config(const Json& json, const std::string& file);

}  // namespace mxdit::umt5

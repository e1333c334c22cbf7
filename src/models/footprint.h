// How much memory one call of a model takes for activations, from its configuration alone.
//
// Upper estimates, part by part. Weights and what kernels set aside are not counted. Classes are
// those of registry.h; configurations are checked as at load.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json_file.h"
#include "models/model.h"

namespace mxdit {

struct ConfigFile {
  std::string class_name;
  const Json* json = nullptr;
  std::string path;  // for messages
};

struct FootprintPart {
  const char* what;
  uint64_t bytes;
  bool on_device = true;
};
using Footprint = std::vector<FootprintPart>;

// `tokens` of all prompts that are encoded together, `longest` of one of them.
Footprint text_encoder_footprint(const ConfigFile& config, int64_t tokens, int64_t longest,
                                 DType compute);
// What encoding gives: `rows` prompts padded to `length`.
uint64_t embedding_bytes(const ConfigFile& text_encoder, int64_t rows, int64_t length,
                         DType compute);

// Latents [1, C, F, h, w]; `contexts` prompts (with guidance two) are kept encoded. `quantized`:
// its layers encode their inputs.
Footprint denoiser_footprint(const ConfigFile& config, const Shape& latents, int64_t text_tokens,
                             int contexts, bool quantized, DType compute);

// With the clip on the host.
Footprint decode_footprint(const ConfigFile& config, const Shape& latents,
                           const TilingOptions& tiling, DType compute);

}  // namespace mxdit

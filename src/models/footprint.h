// How much memory one call of a model takes for activations, from its configuration alone.
//
// Upper estimates: the tensors alive at once at the widest point, plus what kernels set aside.
// Weights are not counted. Classes are those of registry.h; configurations are checked as at load.
#pragma once

#include <cstdint>
#include <string>

#include "io/json_file.h"
#include "models/model.h"

namespace mxdit {

struct ConfigFile {
  std::string class_name;
  const Json* json = nullptr;
  std::string path;  // for messages
};

// `tokens` of one prompt, padding included in the result only.
uint64_t text_encoder_bytes(const ConfigFile& config, int64_t tokens, DType compute);
// Latents [1, C, F, h, w]; `contexts` prompts (with guidance two) are kept encoded.
uint64_t denoiser_bytes(const ConfigFile& config, const Shape& latents, int64_t text_tokens,
                        int contexts, DType compute);
uint64_t decode_bytes(const ConfigFile& config, const Shape& latents, const TilingOptions& tiling,
                      DType compute);

}  // namespace mxdit

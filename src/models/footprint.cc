#include "models/footprint.h"

#include <algorithm>

#include "models/umt5/config.h"
#include "models/wan_dit/config.h"
#include "models/wan_vae/config.h"
#include "models/wan_vae/memory_estimate.h"

namespace mxdit {
namespace {

// Products of checked configuration values may still be absurd: saturate instead of wrapping.
uint64_t product(std::initializer_list<int64_t> factors) {
  uint64_t result = 1;
  for (const int64_t factor : factors)
    if (__builtin_mul_overflow(result, static_cast<uint64_t>(factor), &result))
      return UINT64_MAX / 4;
  return result;
}

int64_t size_of(DType dtype) {
  return static_cast<int64_t>(element_size(dtype));
}

}  // namespace

// Widest: the residual stream, its norm, and the two branches of the gated feed-forward with their
// product; or q, k, v, output and the f32 position bias [H, S, S] of one prompt.
Footprint text_encoder_footprint(const ConfigFile& config, int64_t tokens, int64_t longest,
                                 DType compute) {
  const umt5::Config c = umt5::parse_config(*config.json, config.path);
  const int64_t element = std::max<int64_t>(4, size_of(compute));
  const uint64_t feed_forward = product({tokens, 3 * c.d_ff + 3 * c.d_model, element});
  const uint64_t attention = product({tokens, 4 * c.inner() + 2 * c.d_model, element}) +
                             product({c.num_heads, longest, longest, 4});
  return {{"activations", std::max(feed_forward, attention)}};
}

uint64_t embedding_bytes(const ConfigFile& text_encoder, int64_t rows, int64_t length,
                         DType compute) {
  const umt5::Config c = umt5::parse_config(*text_encoder.json, text_encoder.path);
  return product({rows, length, c.d_model, size_of(compute)});
}

// Widest: the residual stream, its norm and the feed-forward's inner activation and output; or the
// stream, q, k, v, the rotated q and k and the output. Inputs of quantized layers have at most 8.25
// bits an element (MXFP8), the widest is the feed-forward's inner activation. Keys and values of
// the text are kept for every layer and context.
Footprint denoiser_footprint(const ConfigFile& config, const Shape& latents, int64_t text_tokens,
                             int contexts, bool quantized, DType compute) {
  const wan_dit::Config c = wan_dit::parse_config(*config.json, config.path);
  const int64_t tokens = std::max<int64_t>(1, latents[2] / c.patch_size[0]) *
                         (latents[3] / c.patch_size[1]) * (latents[4] / c.patch_size[2]);
  const int64_t element = size_of(compute);
  const uint64_t feed_forward = product({tokens, c.ffn_dim + 4 * c.inner(), element});
  const uint64_t attention = product({tokens, 8 * c.inner(), element});
  const uint64_t encoded = quantized ? product({tokens, c.ffn_dim, 33}) / 32 : 0;
  return {{"activations", std::max(feed_forward + encoded, attention)},
          {"keys and values of the text",
           product({contexts, text_tokens, 2 * c.num_layers * c.inner() + c.text_dim, element})},
          {"latents", product({6, latents.elements(), 4})}};
}

Footprint decode_footprint(const ConfigFile& config, const Shape& latents,
                           const TilingOptions& tiling, DType compute) {
  const wan_vae::Config c = wan_vae::parse_config(*config.json, config.path);
  const wan_vae::DecodeMemory memory = wan_vae::estimate_decode_memory(c, latents, tiling, compute);
  return {{"activations", memory.working},
          {"frames that convolutions over time remember", memory.history},
          {"decoded frames", memory.host}};
}

}  // namespace mxdit

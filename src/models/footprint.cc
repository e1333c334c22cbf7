#include "models/footprint.h"

#include <algorithm>
#include <bit>

#include "layers/feed_forward.h"
#include "models/umt5/config.h"
#include "models/wan_dit/config.h"
#include "models/wan_vae/config.h"
#include "models/wan_vae/memory_estimate.h"

namespace mxdit {
namespace {

// Products of checked configuration values may still be absurd: they saturate, low enough for sums.
constexpr uint64_t kMost = uint64_t{1} << 50;

uint64_t product(std::initializer_list<int64_t> factors) {
  uint64_t result = 1;
  for (const int64_t factor : factors)
    if (__builtin_mul_overflow(result, static_cast<uint64_t>(factor), &result)) return kMost;
  return std::min(result, kMost);
}

int64_t size_of(DType dtype) {
  return static_cast<int64_t>(element_size(dtype));
}

// What a back end's pool takes for a tensor: blocks come in four sizes per power of two.
uint64_t block(uint64_t bytes) {
  if (bytes <= 256) return 256;
  const uint64_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

// Where tensors of many sizes come and go, some blocks lie idle between uses.
uint64_t pooled(uint64_t bytes) {
  return bytes + bytes / 2;
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
  return {{"activations", pooled(std::max(feed_forward, attention))}};
}

uint64_t embedding_bytes(const ConfigFile& text_encoder, int64_t rows, int64_t length,
                         DType compute) {
  const umt5::Config c = umt5::parse_config(*text_encoder.json, text_encoder.path);
  return product({rows, length, c.d_model, size_of(compute)});
}

// Attention holds eight tensors of the model's width (the stream, its norm, q, k, v, the rotated q
// and k, the output), the feed-forward one of its inner width, of as many rows as it takes at a time,
// and its output in parts; blocks of the one do not serve the other. Quantized layers encode inputs of both widths, with at most 8.25 bits an element (MXFP8).
// Keys and values of the text are kept for every layer and context.
Footprint denoiser_footprint(const ConfigFile& config, const Shape& latents, int64_t text_tokens,
                             int contexts, bool quantized, DType compute) {
  const wan_dit::Config c = wan_dit::parse_config(*config.json, config.path);
  const int64_t tokens = std::max<int64_t>(1, latents[2] / c.patch_size[0]) *
                         (latents[3] / c.patch_size[1]) * (latents[4] / c.patch_size[2]);
  const int64_t element = size_of(compute);
  const auto activation = [&](int64_t rows, int64_t width) {
    return block(product({rows, width, element}));
  };
  const auto encoded = [&](int64_t rows, int64_t width) {
    return block(product({rows, width, 33}) / 32);
  };
  const auto text = [&](int64_t width) { return block(product({text_tokens, width, element})); };
  const int64_t part = std::min(tokens, FeedForward::kPartRows);
  uint64_t activations = 8 * activation(tokens, c.inner()) + activation(part, c.ffn_dim);
  if (part < tokens) activations += activation(tokens, c.inner());
  if (quantized) activations += encoded(tokens, c.inner()) + encoded(part, c.ffn_dim);
  const uint64_t keys =
      product({2 * c.num_layers, static_cast<int64_t>(text(c.inner()))}) + text(c.text_dim);
  return {{"activations", activations},
          {"keys and values of the text", static_cast<uint64_t>(contexts) * keys},
          {"latents", 6 * block(product({latents.elements(), 4}))}};
}

Footprint decode_footprint(const ConfigFile& config, const Shape& latents,
                           const TilingOptions& tiling, DType compute) {
  const wan_vae::Config c = wan_vae::parse_config(*config.json, config.path);
  const wan_vae::DecodeMemory memory = wan_vae::estimate_decode_memory(c, latents, tiling, compute);
  return {{"activations", pooled(memory.working)},
          {"frames that convolutions over time remember", pooled(memory.history)},
          {"decoded frames", memory.host, false}};
}

}  // namespace mxdit

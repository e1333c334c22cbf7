// Multiplications and additions (two per multiply-add) of matrix products, attention and
// convolutions; what works element by element is left out.
#pragma once

#include <cstdint>

#include "models/wan_dit/config.h"
#include "models/wan_vae/config.h"

namespace mxdit::bench {

double linear_operations(int64_t rows, int64_t in_features, int64_t out_features);
// Logits and weighted values over all heads.
double attention_operations(int64_t queries, int64_t keys, int64_t width);
// Of a forward: with n tokens, a text of t, width d and ffn f, a layer is
//   2 n (6 d^2 + 2 d f) + 4 n^2 d + 4 n t d,
// and the keys and values of the text 2 t (2 d^2) more where they are part of it.
double forward_operations(const wan_dit::Config& config, int64_t tokens, int64_t text_tokens,
                          bool encode_text);
// Of decoding latents [frames, height, width].
double decode_operations(const wan_vae::Config& config, int64_t frames, int64_t height,
                         int64_t width);

}  // namespace mxdit::bench

// How much memory decoding takes, from the layer widths alone: to refuse a run that will not fit.
#pragma once

#include <cstddef>

#include "core/dtype.h"
#include "core/shape.h"
#include "models/model.h"
#include "models/wan_vae/config.h"

namespace mxdit::wan_vae {

struct DecodeMemory {
  size_t history = 0;  // input frames that convolutions over time remember, on the device
  size_t working = 0;  // tensors alive at once beside them, on the device
  size_t host = 0;     // the decoded clip and the strips between tiles
  size_t total() const { return history + working + host; }
};

// For latents [B, z, F, h, w]; weights and what kernels allocate inside are not counted. Batch rows
// and tiles are decoded one after the other, so neither B nor the number of tiles changes `history`
// and `working`. Throws the errors of decode_grid, and Error{usage} for a shape that is no latent.
//
// Frames that a 3x3 convolution reads have a border, (h + 2)(w + 2) pixels. At once there are
// - history: two frames (for a single latent frame: one) for each 3x3x3 or 3x1x1 convolution, of
//   its input width;
// - a residual block: its input or the shortcut of it, the frame a layer reads, the one it makes
//   and that one normed;
// - attention: frame, norm, q, k, v, output: six;
// - upsampling: four for the pair of frames (twice, while it is reordered), then while each of the
//   pair is decoded to the end, the pair itself stays beside the work of all later stages.
DecodeMemory estimate_decode_memory(const Config& config, const Shape& latents,
                                    const TilingOptions& tiling, DType compute);

}  // namespace mxdit::wan_vae

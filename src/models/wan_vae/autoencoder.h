// AutoencoderKLWan of Wan2.1 and Wan2.2-A14B: the video autoencoder with a causal feature cache.
//
// Latents and frames that are handed in and returned are f32 tensors in host memory. Batch rows,
// and with tiling the tiles of a row, are worked through one after the other, each latent frame by
// latent frame; what a frame leaves behind for the next ones is kept by convolution (FrameHistory).
#pragma once

#include <memory>

#include "layers/model_source.h"
#include "models/model.h"

namespace mxdit {

// Errors: those of wan_vae::parse_config and, for each tensor the config implies, of load_parameter
// (layers/parameters.h).
std::unique_ptr<VideoAutoencoder> make_wan_autoencoder(const ModelSource& source);

}  // namespace mxdit

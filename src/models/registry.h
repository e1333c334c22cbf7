// Models by the class name their checkpoint states (model_index.json, config.json `_class_name`).
// A new model is a folder here and a line in registry.cc.
#pragma once

#include <memory>
#include <string>

#include "models/model.h"

namespace mxdit {

// Error{unsupported} for an unknown class, with the known ones.
std::unique_ptr<TextEncoder> make_text_encoder(const std::string& class_name, const ModelSource& source);
std::unique_ptr<Denoiser> make_denoiser(const std::string& class_name, const ModelSource& source);
std::unique_ptr<VideoAutoencoder> make_autoencoder(const std::string& class_name, const ModelSource& source);

}  // namespace mxdit

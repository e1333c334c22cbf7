// What a model and its layers are loaded from.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "backend/backend.h"
#include "checkpoint/weight_store.h"
#include "quantization/configs/plain/config.h"
#include "quantization/linear_method.h"

namespace mxdit {

class TensorUse;

struct ModelSource {
  Backend* backend = nullptr;              // outlives the model
  const WeightStore* weights = nullptr;    // outlives the model
  const nlohmann::json* config = nullptr;  // the component's config.json
  std::string config_file;                 // for error messages
  const QuantConfig* quantization = nullptr;
  DType compute = DType::f32;  // f32 or bf16: dtype of activations between operators
  AttentionPrecision attention = AttentionPrecision::bf16;  // of self-attention in a denoiser
  TensorUse* use = nullptr;    // notes every tensor that layers load; may be null
  const QuantConfig* unquantized_config = &plain_quantization();
  // The network is built to be described, never to run: no value of a tensor is read.
  bool surveyed = false;

  // The same for parts that are never quantized (embeddings of time and text).
  ModelSource unquantized() const {
    ModelSource source = *this;
    source.quantization = unquantized_config;
    return source;
  }
};

}  // namespace mxdit

// What the weights of a component become when it is loaded, from headers alone.
#pragma once

#include <cstdint>
#include <string>

#include "engine/loader.h"

namespace mxdit {

// Bytes. A layer is read from its file one after the other; what is encoded at load gives the
// pages of its plain weight back.
struct ComponentWeights {
  std::string name;
  uint64_t layers = 0;   // linear layers in memory: those quantized at load, and rearranged ones
  uint64_t copies = 0;   // vectors and reordered convolution kernels, as f32
  uint64_t mapped = 0;   // files in use after load, weight cache included
  uint64_t read = 0;     // from files while it is loaded
  uint64_t cached = 0;   // written to the weight cache, but for entries that are there already
  uint64_t working = 0;  // most that preparing one layer takes, given back afterwards
  bool quantized = false;
};

// `cache`: encoded layers go to a weight cache. Errors as of survey_layers().
ComponentWeights survey_component(const Checkpoint& checkpoint, Backend& backend, DType compute,
                                  const std::string& name, bool cache);

// Vectors are converted and convolution kernels reordered in memory, as f32 at most; matrices stay
// in the file.
uint64_t copied_bytes(const WeightStore& weights);

}  // namespace mxdit

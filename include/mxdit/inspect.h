// What a model consists of, and how each of its layers would run: read from headers and
// configurations, without loading or quantizing any weight.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mxdit/engine.h"

namespace mxdit {

// One linear layer.
struct LayerReport {
  std::string component, name;        // "transformer", "blocks.0.attn1.to_q"
  int64_t out_features = 0, in_features = 0;
  std::string type;                   // stored form: "BF16", "W4A4_MXFP4_DUALSCALE"
  std::string method;                 // "mxfp4_npu"
  std::string reason;                 // why that method
  std::string kernel;
  std::vector<std::string> passed_over;  // faster kernels, with what forbids them
  uint64_t resident_bytes = 0;        // memory beside the mapped files
  uint64_t mapped_bytes = 0;          // of the files that stay in use
};

struct StoredTensors {
  int64_t count = 0;
  uint64_t bytes = 0;
};

struct ComponentReport {
  std::string name, class_name, path;
  std::map<std::string, StoredTensors> dtypes;  // "BF16" -> ...
  uint64_t stored_bytes = 0;
  // Transformers: what decided how their layers are quantized, and what was looked at before.
  std::string quantization, quantization_source;
  std::vector<std::string> considered;
  // After load: of layers, and of what is copied or reordered beside them.
  uint64_t resident_bytes = 0, mapped_bytes = 0;
};

struct ModelReport {
  EngineInfo info;
  std::string class_name;  // "WanPipeline"
  std::vector<ComponentReport> components;
  std::vector<LayerReport> layers;
  uint64_t resident_bytes = 0, mapped_bytes = 0;
  uint64_t working_bytes = 0;  // most that preparing one layer takes, given back afterwards
};

// Errors as when the model is loaded, but for the values of tensors.
ModelReport inspect_model(const EngineOptions& options);

}  // namespace mxdit

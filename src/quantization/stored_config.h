// Configurations of checkpoints that hold quantized weights: which layers are quantized.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "quantization/registry.h"

namespace mxdit {

struct StoredConfig {
  std::shared_ptr<const LinearMethod> method;  // of every layer but the excluded ones
  // Whether the declaration leaves a layer plain.
  std::function<bool(const std::string& layer)> excludes;
  // Why the method cannot take a layer that is not excluded; empty: it can. May be null.
  std::string (*refuses)(int64_t out_features, int64_t in_features) = nullptr;
};

// plan() leaves excluded layers, and those that --quantization-ignored-layers names, plain; either
// is refused at load when it is stored quantized. Error{unsupported} of plan() naming the layer and
// the declaration's file for what `refuses` refuses.
std::unique_ptr<QuantConfig> make_stored_config(StoredConfig config,
                                                const ConfigArguments& arguments);

// Error{usage} when a key that only reads checkpoints is asked for by flag alone.
const Json& required_declaration(const ConfigArguments& arguments, const std::string& key);

}  // namespace mxdit

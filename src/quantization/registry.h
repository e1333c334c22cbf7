// The keys of --quantization and of a checkpoint's quant_method. A new method is a folder in
// methods/ and a line in registry.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/json_file.h"
#include "quantization/linear_method.h"
#include "quantization/step_clock.h"

namespace mxdit {

// What a configuration is made from.
struct ConfigArguments {
  // What the checkpoint declares (quantization_config, a description file): null when the key was
  // asked for by flag alone, which means quantizing plain weights at load.
  const Json* declaration = nullptr;
  std::string declared_in;  // file of the declaration, for messages
  const WeightStore* weights = nullptr;
  // --quantization-ignored-layers: whole dotted path segments that stay plain.
  std::vector<std::string> ignored_layers;
  std::string cache_folder;  // --quantization-cache; empty: none
  // The denoising step, for timestep policies; may be null where nothing runs.
  std::shared_ptr<const StepClock> clock;
};

struct QuantizationKey {
  const char* key;
  const char* summary;  // one line of --quantization's help
  bool online, offline;
  const char* where;    // devices it runs on: "cpu, ascend"
  std::unique_ptr<QuantConfig> (*make)(const ConfigArguments& arguments);
};

std::span<const QuantizationKey* const> quantization_keys();

// Error{unsupported} for an unknown key, with the known ones; `flag` is what messages call it.
const QuantizationKey& find_quantization_key(const std::string& key, const std::string& flag);

}  // namespace mxdit

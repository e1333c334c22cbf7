// What NVIDIA ModelOpt writes about a checkpoint: flat (quantization_config of config.json) or below
// "quantization" (hf_quant_config.json).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quantization/registry.h"

namespace mxdit {

struct ModelOptDeclaration {
  std::string algorithm;  // "FP8", "NVFP4"; empty: not declared
  // The layers that are left plain.
  std::vector<std::string> exclude_modules;  // whole names, `*` for any characters
  std::vector<std::string> ignore;           // shell patterns of whole names or first segments

  bool excludes(const std::string& layer) const;
};

// Checks what the checkpoint declares for a method: quant_algo has to be `algorithm` where it is
// given, each group_size `group_size` (0: none may be given). Errors: usage without a declaration;
// bad_input, unsupported naming its file and key.
ModelOptDeclaration read_modelopt_declaration(const ConfigArguments& arguments,
                                              const std::string& key, const std::string& algorithm,
                                              int64_t group_size);

// The declared quant_algo. Errors: usage without a declaration; bad_input when there is none, or two
// that differ.
std::string modelopt_algorithm(const ConfigArguments& arguments, const std::string& key);

}  // namespace mxdit

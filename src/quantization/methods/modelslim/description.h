// quant_model_description*.json of msmodelslim: the type of every tensor of a checkpoint.
//
// An object. Every key is a tensor name with its type as a string, but for the settings below.
// `version`, `model_quant_type`, `group_size`, `metadata`, `optional`, `packed_modules_mapping` and
// `quant_method` are checked for their JSON type and change nothing here: layers are never fused, and
// a rotation of queries and keys, which `optional` may announce, cancels out in a product of both.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/json_file.h"
#include "quantization/methods/modelslim/layer_pattern.h"

namespace mxdit::modelslim {

// timestep_policy.w4a4_linear: what the activations of W4A4_MXFP4 layers are quantized to, by the
// denoising step (from 0): {"0": "W4A8", "1": "W4A4", "default": "W4A4"}. Without "default": W4A4.
struct TimestepPolicy {
  enum class Precision { w4a4, w4a8 };

  std::map<int64_t, Precision> steps;
  Precision standard = Precision::w4a4;

  Precision at(int64_t step) const;
};

struct Description {
  std::string file;
  std::map<std::string, std::string> types;  // tensor name -> type, unchecked
  std::vector<LayerPattern> ignore;          // layers that are plain whatever their type says
  std::optional<TimestepPolicy> policy;
  // How the reference system finds the scales of single-level activations; as stated.
  std::optional<int64_t> mxfp4_scale_alg;
  std::optional<double> mxfp4_dst_type_max;

  // Null when the tensor has no entry.
  const std::string* type_of(const std::string& tensor) const;
  // Names of the entries below `<layer>.`, without that beginning.
  std::vector<std::string> parts_of(const std::string& layer) const;
  bool ignores(const std::string& layer) const;
};

// Errors naming file and key: bad_input for what is not of that form, unsupported for a policy that is
// not known, and for quantized attention.
Description parse_description(const Json& json, const std::string& file);

}  // namespace mxdit::modelslim

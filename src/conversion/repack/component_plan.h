// Everything there is to know about the new files of one transformer before the first is written.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "conversion/repack/description.h"
#include "conversion/repack/wan_names.h"
#include "models/wan_dit/config.h"

namespace mxdit::conversion {

struct TensorPlan {
  std::string target;  // new name
  std::string source;  // name in its file
  TensorPlace place;
  DType dtype = DType::f32;  // as it will be written
  Shape shape;
  bool pack = false;  // an E4M3 container becomes packed E2M1
};

struct ComponentPlan {
  std::vector<TensorPlan> tensors;  // sorted by new name
  std::string description;          // the new file's text
  std::map<std::string, std::string> metadata;
  int64_t renamed = 0;
  int64_t packed = 0;
  std::vector<std::string> warnings;
};

// Errors: those of rename_all, check_tensors and Description; bad_input for an entry that names no
// tensor.
ComponentPlan plan_component(const WeightStore& weights, const Description& description,
                             const wan_dit::Config& config, Direction direction, bool pack);

}  // namespace mxdit::conversion

// Which tensors of a checkpoint a model has read, so that it can name the others.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/weight_store.h"

namespace mxdit {

class TensorUse {
 public:
  void add_tensor(const std::string& name) { tensors_.insert(name); }
  // Everything below `<scope>.`: a quantization method knows which of them it needs.
  void add_layer(const std::string& scope) { layers_.insert(scope); }

  // Names of the store that are neither used nor contain one of the `ignorable` words; sorted.
  std::vector<std::string> unused(const WeightStore& weights,
                                  std::span<const std::string_view> ignorable) const;

 private:
  bool used(const std::string& name) const;

  std::set<std::string> tensors_;
  std::set<std::string> layers_;
};

}  // namespace mxdit

#include "layers/tensor_use.h"

#include <algorithm>

namespace mxdit {

bool TensorUse::used(const std::string& name) const {
  if (tensors_.contains(name)) return true;
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    if (layers_.contains(name.substr(0, dot))) return true;
  }
  return false;
}

std::vector<std::string> TensorUse::unused(const WeightStore& weights,
                                           std::span<const std::string_view> ignorable) const {
  std::vector<std::string> rest;
  for (const std::string& name : weights.names()) {
    const bool ignored =
        std::any_of(ignorable.begin(), ignorable.end(),
                    [&](std::string_view word) { return name.find(word) != std::string::npos; });
    if (!ignored && !used(name)) rest.push_back(name);
  }
  return rest;
}

}  // namespace mxdit

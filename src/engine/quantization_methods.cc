#include "mxdit/engine.h"
#include "quantization/registry.h"

namespace mxdit {

std::vector<QuantizationMethod> quantization_methods() {
  std::vector<QuantizationMethod> methods;
  for (const QuantizationKey* key : quantization_keys())
    methods.push_back({key->key, key->summary, key->online, key->offline, key->where});
  return methods;
}

}  // namespace mxdit

#include "quantization/registry.h"

#include "core/error.h"
#include "quantization/methods/modelslim/config.h"
#include "quantization/methods/mxfp4_npu/method.h"

namespace mxdit {

std::span<const QuantizationKey* const> quantization_keys() {
  // One line per key.
  static constexpr const QuantizationKey* kKeys[] = {
      &kModelslimKey,
      &kMxfp4NpuKey,
  };
  return kKeys;
}

const QuantizationKey& find_quantization_key(const std::string& key, const std::string& flag) {
  std::string known;
  for (const QuantizationKey* entry : quantization_keys()) {
    if (key == entry->key) return *entry;
    known += (known.empty() ? "" : ", ") + std::string(entry->key);
  }
  fail(ErrorKind::unsupported, "[quantization] ", flag, ": expected one of ", known, ", got ", key);
}

}  // namespace mxdit

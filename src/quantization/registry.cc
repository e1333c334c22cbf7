#include "quantization/registry.h"

#include "core/error.h"
#include "quantization/methods/fp8/method.h"
#include "quantization/methods/modelopt/method.h"
#include "quantization/methods/modelopt_fp4/method.h"
#include "quantization/methods/modelopt_fp8/method.h"
#include "quantization/methods/modelslim/config.h"
#include "quantization/methods/mxfp4/method.h"
#include "quantization/methods/mxfp4_npu/method.h"
#include "quantization/methods/mxfp8/method.h"

namespace mxdit {

std::span<const QuantizationKey* const> quantization_keys() {
  // One line per key.
  static constexpr const QuantizationKey* kKeys[] = {
      &kFp8Key,
      &kModeloptKey,
      &kModeloptFp4Key,
      &kModeloptFp8Key,
      &kModelslimKey,
      &kMxfp4Key,
      &kMxfp4NpuKey,
      &kMxfp8Key,
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

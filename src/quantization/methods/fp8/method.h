// --quantization fp8: FP8 (E4M3) of plain weights, or as stored with its scales.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kFp8Key;

}  // namespace mxdit

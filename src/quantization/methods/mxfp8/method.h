// --quantization mxfp8: MXFP8 (E4M3) of plain weights and of activations.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kMxfp8Key;

}  // namespace mxdit

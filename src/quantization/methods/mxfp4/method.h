// --quantization mxfp4: single-level OCP MXFP4 of plain weights and of activations.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kMxfp4Key;

}  // namespace mxdit

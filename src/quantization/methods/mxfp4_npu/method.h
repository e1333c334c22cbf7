// --quantization mxfp4_npu: dual-level MXFP4 of plain weights and of activations.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kMxfp4NpuKey;

}  // namespace mxdit

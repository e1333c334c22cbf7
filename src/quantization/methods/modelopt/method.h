// quant_method modelopt: checkpoints of NVIDIA ModelOpt, by the algorithm they declare.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kModeloptKey;

}  // namespace mxdit

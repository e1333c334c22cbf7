// quant_method modelopt_fp4: checkpoints of NVIDIA ModelOpt in NVFP4.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kModeloptFp4Key;

}  // namespace mxdit

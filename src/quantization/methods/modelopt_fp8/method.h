// quant_method modelopt_fp8: checkpoints of NVIDIA ModelOpt in FP8 (E4M3).
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kModeloptFp8Key;

}  // namespace mxdit

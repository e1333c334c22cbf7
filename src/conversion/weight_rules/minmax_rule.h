// The min-max rule of the exporter msmodelslim for dual-level MXFP4 weights.
#pragma once

#include "conversion/weight_rules/weight_rule.h"

namespace mxdit::conversion {

// All in fp32, also for weights in 16 bits:
//   s = max|W| / 6 over 512 columns, v = W / s (0 where s is 0);
//   code = floor(log2(max|v| * 8 / 7 + 9.6e-7)) - 2 + 127 over 32 columns, from left to right;
//   element = E2M1(v * 2^(127 - code)), half away from zero, at most 6.
// Serves dual-level MXFP4 with whole groups of 512 columns only.
extern const WeightRule kMinmaxRule;

}  // namespace mxdit::conversion

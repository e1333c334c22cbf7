// The rule of the operators that quantize activations, and of the online methods: scales straight
// from the largest magnitudes (formats/reference.h, docs/numerics.md).
#pragma once

#include "conversion/weight_rules/weight_rule.h"

namespace mxdit::conversion {

// Weights in f32 are rounded to bf16 first, as the online methods do, so that both give equal
// bytes. Elements are rounded to nearest, ties to even.
extern const WeightRule kOperatorRule;

}  // namespace mxdit::conversion

// Linear layers with their weight as stored: f32, f16, bf16, or fp8 without scales.
#pragma once

#include <memory>

#include "quantization/linear_method.h"

namespace mxdit::unquantized {

// Reads `<layer>.weight` [out, in]. Errors of prepare: not_found, bad_input for another shape and for
// scales or other quantized tensors beside it, unsupported for another dtype.
std::shared_ptr<const LinearMethod> make_method();

}  // namespace mxdit::unquantized

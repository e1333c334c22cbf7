// Layers that a quantized run leaves plain: by name, or because of their shape.
#pragma once

#include <memory>
#include <string>

#include "quantization/linear_method.h"

namespace mxdit {

// The unquantized method for weights in F32, F16 and BF16. A layer that is stored quantized is
// refused instead of read without its scales: Error{bad_input} naming the tensor and `reason`, who
// says that the layer is plain.
std::shared_ptr<const LinearMethod> make_plain_method(const std::string& reason);

}  // namespace mxdit

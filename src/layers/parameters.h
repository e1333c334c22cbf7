// Parameters that are no weights of a product: gains, biases, tables.
#pragma once

#include <string>

#include "layers/model_source.h"

namespace mxdit {

// The tensor `name` of exactly `shape`, as f32 on the device. Errors: not_found, bad_input for
// another shape, unsupported for a dtype that is no f32, f16, bf16 or fp8. Of a surveyed source the
// values are undefined.
Tensor load_parameter(const ModelSource& source, const std::string& name, const Shape& shape);

// The tensor as stored, of exactly `shape` and one of those dtypes, on the device.
Tensor load_stored(const ModelSource& source, const std::string& name, const Shape& shape);

}  // namespace mxdit

// The key `modelslim`: checkpoints that msmodelslim quantized, layer by layer as a description says.
#pragma once

#include "quantization/registry.h"

namespace mxdit {

extern const QuantizationKey kModelslimKey;

namespace modelslim {

// arguments.declaration is the description. With arguments.weights, what it says of every weight
// is compared with the type of the stored tensor. Errors: those of parse_description; bad_input and
// not_found naming both files for a weight that is not what the description says; unsupported for
// an unknown type, naming the layer; usage for ignored layers, which a stored model cannot have.
std::unique_ptr<QuantConfig> make_config(const ConfigArguments& arguments);

}  // namespace modelslim

}  // namespace mxdit

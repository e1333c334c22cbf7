// The dialect of checkpoints that are not quantized: every layer as it is stored.
#pragma once

#include <memory>

#include "quantization/linear_method.h"

namespace mxdit {

std::unique_ptr<QuantConfig> plain_config();
// One that is always there.
const QuantConfig& plain_quantization();

}  // namespace mxdit

// The dialect of checkpoints that are not quantized: every layer as it is stored.
#pragma once

#include <memory>

#include "quantization/linear_method.h"

namespace mxdit {

std::unique_ptr<QuantConfig> plain_config();

}  // namespace mxdit

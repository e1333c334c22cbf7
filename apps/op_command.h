// `mxdit op`: the quantized operators on safetensors files.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_op(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

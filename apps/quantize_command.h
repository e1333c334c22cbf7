// `mxdit quantize`: a plain model becomes a quantized one.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_quantize(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

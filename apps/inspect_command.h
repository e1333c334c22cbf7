// `mxdit inspect`: what a model consists of and how its layers run.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_inspect(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

// mxdit generate: from prompts to files.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_generate(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

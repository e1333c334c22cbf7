// mxdit plan: what a run takes, before it runs.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_plan(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

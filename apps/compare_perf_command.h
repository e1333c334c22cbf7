// `mxdit compare-perf`: what changed between files of --perf-dump-path.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_compare_perf(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

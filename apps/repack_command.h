// mxdit repack: from an exporter's checkpoint to a model folder, and back.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

int run_repack(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

// mxdit doctor: whether a device works and computes what it has to.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

// Exit status 1 when a check failed.
int run_doctor(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

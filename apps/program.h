// The program behind main(): finds the command, turns exceptions into one line and a status.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

// `arguments` without the program's name. Never throws.
int run_program(const std::vector<std::string>& arguments, const Console& console);

}  // namespace mxdit::cli

// mxdit bench: how fast parts of a model run.
#pragma once

#include <istream>

#include "command.h"

namespace mxdit::cli {

int run_bench(const std::vector<std::string>& arguments, const Console& console);
// With the lines of --paced from `in` in place of standard input.
int run_bench(const std::vector<std::string>& arguments, const Console& console, std::istream& in);

}  // namespace mxdit::cli

// The commands of the program: one file each, and one line in program.cc.
#pragma once

#include <string>
#include <vector>

#include "progress_display.h"

namespace mxdit::cli {

struct Command {
  const char* name;
  const char* summary;
  // Throws mxdit::Error; the return value is the exit status.
  int (*run)(const std::vector<std::string>& arguments, const Console& console);
};

}  // namespace mxdit::cli

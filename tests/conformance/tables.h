// The kernel tables of this build, by whether this machine runs them.
#pragma once

#include <string>
#include <vector>

#include "backend/cpu/isa.h"

namespace mxdit::conformance {

inline std::vector<std::string> tables_that(bool run) {
  std::vector<std::string> names;
  for (const cpu::KernelTable& table : cpu::built_tables())
    if (cpu::runs_here(table) == run) names.emplace_back(table.name);
  return names;
}

inline std::vector<std::string> runnable_tables() {
  return tables_that(true);
}

}  // namespace mxdit::conformance

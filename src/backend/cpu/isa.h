// Which kernel tables the build has, which of them this machine runs, and which one to use.
#pragma once

#include <string>
#include <vector>

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu {

// kIsa* bits of this machine, usable under its operating system.
uint32_t machine_isa() noexcept;

// Every table of the build, best first, each completed with the entries it inherits from the ones
// behind it. Tables that this machine cannot run are included.
const std::vector<KernelTable>& built_tables();

bool runs_here(const KernelTable& table) noexcept;
// Why a table does not run here, "this machine lacks it"; empty when it does.
std::string why_absent(const KernelTable& table);

// The table called `forced`, or if that is empty the one named by the environment variable
// MXDIT_ISA, or else the best that runs here. Error{usage} for a name that is not known,
// Error{unsupported} for a table that this build or this machine lacks.
const KernelTable& choose_table(const std::string& forced);

// Why the tables better than `chosen` are not in use: "avx512: this machine lacks it".
std::vector<std::string> passed_over(const KernelTable& chosen);

}  // namespace mxdit::cpu

// Memory of this process and of the machine, as Linux tells it.
#pragma once

#include <cstdint>
#include <optional>

#include "mxdit/engine.h"

namespace mxdit {

// Raises the peaks of `report` to the present values.
void record_memory_use(RunReport& report);

// Bytes this process can still get without swapping: the smaller of MemAvailable and what the
// control group leaves. Nothing where /proc does not tell.
std::optional<uint64_t> available_memory();
// Of the machine, whatever a control group allows.
std::optional<uint64_t> total_memory();

}  // namespace mxdit

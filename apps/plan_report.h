// The plan of a run as text and as JSON.
#pragma once

#include <string>

#include "mxdit/engine.h"

namespace mxdit::cli {

struct PlannedRun {
  EngineInfo info;
  GenerateRequest request;  // resolved
  RunPlan plan;
};

// What all stages have in memory is shown once.
std::string plan_text(const PlannedRun& run);
std::string plan_json(const PlannedRun& run);

}  // namespace mxdit::cli

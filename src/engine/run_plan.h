// How much memory and disk a run takes, stage by stage, before it starts (mxdit/plan.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "engine/component_weights.h"
#include "engine/loader.h"
#include "mxdit/plan.h"

namespace mxdit {

// What a run is planned from.
struct PlanSubject {
  const Checkpoint& checkpoint;
  Backend& backend;
  DType compute;
  bool weight_cache = false;  // layers quantized at load are kept on disk
  bool save_latents = false, trace = false;
  VideoEncoding encoding;
};

// The stages and their bytes, of a call that loads the model first.
RunPlan plan_stages(const PlanSubject& subject, const SamplingParams& params);

// Sets the rest of the plan: what is available, and whether that is enough. `limit`: bytes that the
// user allows; 0: what `device` has free, or without such a device the machine. Weights that are
// `loaded` already take nothing more of that.
void judge(RunPlan& plan, uint64_t limit, bool loaded,
           std::optional<DeviceMemory> device = std::nullopt);

// Error{out_of_memory} with the plan's refusal, or its warning to the log.
void check_memory(const RunPlan& plan, const LogSink& log);

}  // namespace mxdit

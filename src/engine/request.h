// A user's request to the values a run uses.
#pragma once

#include "mxdit/engine.h"
#include "pipelines/defaults.h"
#include "stages/run_state.h"

namespace mxdit {

// What a model demands of sizes.
struct SizeRules {
  int64_t multiple_of_width = 16, multiple_of_height = 16;  // VAE scale * patch
  int64_t temporal_scale = 4;                               // frames are temporal_scale * k + 1
};

// Fills unset values from the defaults and checks ranges. Frame counts are rounded down to 4k + 1
// with a warning, as diffusers does; sizes that are no multiples are refused with the nearest
// ones. Error{usage} naming the flag.
SamplingParams resolve_request(const GenerateRequest& request, const SamplingDefaults& defaults,
                               const SizeRules& rules, bool two_experts, const LogSink& log);

// The same values as a request, every one of them set.
GenerateRequest as_request(const SamplingParams& params, const GenerateRequest& original);

}  // namespace mxdit

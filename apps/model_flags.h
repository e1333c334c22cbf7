// Flags that say which model, and on what it runs: shared by the commands that open one.
#pragma once

#include "flag_set.h"
#include "mxdit/engine.h"

namespace mxdit::cli {

// --model-path, the component paths, --quantization and what belongs to it.
void declare_model_flags(FlagSet* flags, EngineOptions* engine);
// --dtype, --attention-precision, --device, --isa, --threads.
void declare_machine_flags(FlagSet* flags, EngineOptions* engine);

// After parsing: drops what was not given.
void settle_model_flags(EngineOptions* engine);

}  // namespace mxdit::cli

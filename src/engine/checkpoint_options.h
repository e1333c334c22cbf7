// From what a user of the library asks for to what the loader takes.
#pragma once

#include <memory>
#include <string>

#include "engine/loader.h"
#include "mxdit/engine.h"

namespace mxdit {

CheckpointOptions checkpoint_options(const EngineOptions& given,
                                     std::shared_ptr<const StepClock> clock);

// "fp32" or "bf16". Error{usage} naming --dtype.
DType parse_compute(const std::string& text);

// "bf16" or "int8". Error{usage} naming --attention-precision.
AttentionPrecision parse_attention_precision(const std::string& text);

EngineInfo describe_engine(const EngineOptions& options, const Checkpoint& checkpoint,
                           const Backend& backend, std::string hash);

}  // namespace mxdit

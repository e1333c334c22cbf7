// Schedulers by the class name that scheduler_config.json states.
// A new scheduler is a file here and a line in registry.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/json_file.h"
#include "schedulers/scheduler.h"

namespace mxdit {

struct SchedulerOverrides {
  // Replaces `flow_shift` (UniPC) or `shift` (Euler).
  std::optional<double> flow_shift;
};

// Builds the scheduler that `config` (the contents of `file`, a scheduler_config.json) describes.
// Every option is either honoured or refused, never ignored: Error{unsupported} names the file and
// the option; Error{bad_input} an option of the wrong type or out of its range; for an unknown
// class Error{unsupported} lists the known ones. The reference system's
// FlowUniPCMultistepScheduler is UniPCMultistepScheduler with flow noise levels.
std::unique_ptr<Scheduler> make_scheduler(const Json& config, const std::string& file,
                                          const SchedulerOverrides& overrides = {});

std::vector<std::string> scheduler_names();

}  // namespace mxdit

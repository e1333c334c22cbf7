// What `mxdit generate` was asked for.
#pragma once

#include <string>
#include <vector>

#include "flag_set.h"
#include "mxdit/engine.h"
#include "output_name.h"
#include "progress_display.h"

namespace mxdit::cli {

struct GenerateArguments {
  EngineOptions engine;
  GenerateRequest request;
  OutputOptions output;
  VideoEncoding encoding;
  ProgressMode progress = ProgressMode::automatic;
  LogLevel log_level = LogLevel::info;
  std::string perf_dump_path;
};

// Parses and checks everything that can be checked without the model. Throws Error{usage}, or
// Error{not_found} for a missing --prompt-path.
GenerateArguments parse_generate_arguments(const std::vector<std::string>& arguments);

// The flags' part of `mxdit generate --help`.
std::string generate_flag_help();

}  // namespace mxdit::cli

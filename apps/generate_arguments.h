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

// --help or -h in front of a "--".
bool asks_for_help(const std::vector<std::string>& arguments);

// What `mxdit plan` was asked for: any command line of generate, and whether as JSON.
struct PlanArguments {
  GenerateArguments generate;
  bool json = false;
};
// Errors as of parse_generate_arguments, but that no prompt is one of full length.
PlanArguments parse_plan_arguments(const std::vector<std::string>& arguments);
std::string plan_flag_help();

// "832x480, 81 frames, ...": the settings of a resolved request on one line.
std::string settings_text(const GenerateRequest& request);

}  // namespace mxdit::cli

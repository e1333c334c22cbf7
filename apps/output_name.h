// Names of the files that a run writes.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "mxdit/engine.h"

namespace mxdit::cli {

struct OutputOptions {
  std::string folder = "outputs/";
  std::string file_name;  // in `folder`; replaces the default name
  std::string file_path;  // replaces both
  bool save = true;
};

// One file per video, prompt after prompt, output after output.
//
// Without file_name and file_path: PROMPT_TIME_HASH.mp4, where PROMPT is the first 100 characters
// with everything but letters, digits, '-', '.' and '_' made '_', TIME is local as
// 20261121-134501, and HASH is 8 hexadecimal digits over prompt, seed and settings; _0, _1 ...
// follow when a prompt has several outputs. With a name of one's own, _0, _1 ... come before the
// extension when there are several videos. file_name without a known extension gets .mp4.
std::vector<std::string> output_paths(const OutputOptions& options, const GenerateRequest& request,
                                      size_t videos, std::time_t now);

}  // namespace mxdit::cli

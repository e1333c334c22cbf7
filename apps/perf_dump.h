// The times and memory of a run as JSON, in the reference system's layout (docs/cli.md).
#pragma once

#include <ctime>
#include <string>

#include "mxdit/engine.h"

namespace mxdit::cli {

struct PerfDump {
  std::time_t finished = 0;
  EngineInfo engine;
  GenerateRequest request;  // resolved
  RunReport report;
};

std::string perf_dump_json(const PerfDump& dump);

// Throws Error{io} when `path` cannot be written; leaves nothing but missing folders behind.
void check_perf_dump_path(const std::string& path);

// Atomic: the file appears complete or not at all.
void write_perf_dump(const std::string& path, const PerfDump& dump);

}  // namespace mxdit::cli

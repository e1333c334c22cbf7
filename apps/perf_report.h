// Comparing the files that --perf-dump-path writes, as the reference system's compare_perf does.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mxdit::cli {

// What a report takes from one file. Durations are milliseconds.
struct PerfRecord {
  std::string file;  // base name
  double total = 0;
  std::vector<std::pair<std::string, double>> stages;  // in the order of the run
  std::vector<double> denoise_steps;
  std::optional<double> peak_resident_mb, peak_anonymous_mb;
  std::string commit, timestamp, device, quantization;
};

// Reads the reference system's dumps as well. Throws Error naming file and key: not_found, bad_input.
PerfRecord read_perf_dump(const std::string& path);

// Markdown. The first record is the baseline; at least two.
//
// A run is faster or slower beyond 2 %; a stage beyond 10 % and 120 ms, whichever is more.
std::string perf_report(const std::vector<PerfRecord>& records);

// A picture of the same: for each stage a bar for each record. SVG.
std::string perf_chart(const std::vector<PerfRecord>& records);

}  // namespace mxdit::cli

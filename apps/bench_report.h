// What mxdit bench measured, for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "mxdit/bench.h"

namespace mxdit::cli {

struct BenchResult {
  BenchFacts facts;
  std::vector<BenchSample> samples;
};

// One line per case.
std::string bench_text(const std::vector<BenchResult>& results);
// One object; several cases are a list `cases` in one.
std::string bench_json(const std::vector<BenchResult>& results);
// One run on one line, the last one of `result`: as above, `seconds` a number.
std::string bench_run_json(const BenchResult& result);

std::string peak_text(const std::vector<MachinePeak>& peaks);
std::string peak_json(const std::vector<MachinePeak>& peaks);

}  // namespace mxdit::cli

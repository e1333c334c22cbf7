// The arguments of mxdit bench.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flag_set.h"
#include "mxdit/bench.h"

namespace mxdit::cli {

struct BenchArguments {
  std::string subject;  // "linear", "attention", "vae", "dit" or "peak"
  BenchOptions options;
  int repeat = 5, warmup = 1;
  bool paced = false;
  bool json = false;
  std::string json_path;  // empty: standard output

  // One per case; none for "peak". Called one after the other, so that only one case's weights are
  // in memory.
  std::vector<std::function<std::unique_ptr<Benchmark>(const CancelToken*)>> cases;
};

// Throws Error{usage}.
BenchArguments parse_bench(const std::vector<std::string>& arguments);

// The text of --help for all subjects.
std::string bench_flag_help();

}  // namespace mxdit::cli

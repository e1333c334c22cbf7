// A stand-in for the engine in the tests of the command line: it remembers what it was asked for
// and paints frames of one colour.
#pragma once

#include <functional>

#include "mxdit/bench.h"
#include "mxdit/device.h"
#include "mxdit/doctor.h"
#include "mxdit/engine.h"
#include "mxdit/operators.h"
#include "mxdit/quantize.h"
#include "mxdit/repack.h"

namespace mxdit::cli {

struct FakeEngine {
  EngineOptions options;
  GenerateRequest request;
  int generated = 0;
  std::vector<std::string> operations;  // of mxdit op: name, files, settings
  std::function<void(const Progress&)> in_step;  // called in every denoising step
  std::function<void()> in_load;

  std::vector<std::string> benchmarks;  // made: kind and sizes
  BenchOptions bench_options;
  int bench_runs = 0;  // the n-th takes n seconds

  std::vector<DeviceCounters> step_counters;  // returned
  RunPlan plan;  // returned
  VideoEncoding planned_encoding;
  DeviceReport device;  // returned
  DoctorReport doctor;  // returned
  bool inspected_model = false;

  RepackOptions repack_options;
  RepackSummary repack_summary;  // returned, with the output path of the options
  std::function<void()> in_repack;

  QuantizeModelOptions quantize_options;
  QuantizeModelSummary quantize_summary;  // as above
  std::function<void()> in_quantize;
};

// The one instance; tests reset it.
FakeEngine& fake_engine();

}  // namespace mxdit::cli

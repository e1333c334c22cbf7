#include "backend/peak.h"
#include "mxdit/bench.h"

namespace mxdit {

std::vector<MachinePeak> measure_machine_peaks(const BenchOptions& options) {
  std::vector<MachinePeak> peaks;
  for (const PeakRate& rate : measure_peaks(options.device, options.threads))
    peaks.push_back({rate.isa, rate.type, rate.operations_per_second, rate.threads});
  return peaks;
}

}  // namespace mxdit

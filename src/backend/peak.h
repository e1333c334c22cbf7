// How fast a device's multipliers are when nothing else limits them: what a kernel is measured
// against.
#pragma once

#include <string>
#include <vector>

namespace mxdit {

struct PeakRate {
  std::string isa;   // the instructions: "avx512", "amx"
  // Of the factors: "fp32", "bf16", "int8"; "bf16, zeros" where all of them are zeros, which lets a
  // processor that watches its power clock higher than real data do.
  std::string type;
  double operations_per_second = 0;  // two per multiply-add, all threads together
  int threads = 0;
};

// One entry for every multiplier that this machine has and the device's kernels may use; operands
// stay in registers. Takes about half a second per entry. threads 0: one per processor.
// Error{usage} for an unknown device; empty for one that cannot be asked.
std::vector<PeakRate> measure_peaks(const std::string& device, int threads);

}  // namespace mxdit

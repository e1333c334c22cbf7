// How fast a device's multipliers are when nothing else limits them: what a kernel is measured
// against.
#pragma once

#include <string>
#include <vector>

namespace mxdit {

struct PeakRate {
  std::string isa;   // the instructions: "avx512", "amx"
  // Of the factors: "fp32", "bf16", "int8", of random values but for fp32; "bf16, zeros" where all
  // are zeros, which a processor that watches its power multiplies at a higher clock.
  std::string type;
  double operations_per_second = 0;  // two per multiply-add, all threads together
  int threads = 0;
};

// One entry for every multiplier that this machine has and the device's kernels may use; tiles are
// loaded from L1, vectors stay in registers. Takes about half a second per entry, on a machine
// without other work. threads 0: one per processor.
// Error{usage} for an unknown device; empty for one that cannot be asked.
std::vector<PeakRate> measure_peaks(const std::string& device, int threads);

}  // namespace mxdit

// Does a device work, and does it compute what it has to? What is run first on a new machine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mxdit/device.h"
#include "mxdit/engine.h"

namespace mxdit {

struct DoctorCheck {
  enum class Outcome {
    passed,
    refused,  // the device cannot do it, and says so: no failure by itself
    failed,
    skipped  // because of a check before
  };
  std::string group;  // "device", "memory", "vectors", "layers", "operators"
  std::string name;
  Outcome outcome = Outcome::skipped;
  std::string detail;  // what was found; of a failure what was expected
  double seconds = 0;
};

struct DoctorReport {
  std::string version;  // of mxdit
  DeviceReport device;
  std::vector<DoctorCheck> checks;

  bool healthy() const {
    for (const DoctorCheck& check : checks)
      if (check.outcome == DoctorCheck::Outcome::failed) return false;
    return true;
  }
};

using CheckSink = std::function<void(const DoctorCheck&)>;

// Runs all checks on options.device; of the options only device, isa and threads are looked at.
// Goes on after a failure. `each` hears of every check when it is done; may be empty. Takes some
// seconds, and about 200 MiB on the device.
//
// Checks: libraries and symbols; copies both ways, reuse of memory; published vectors of the
// quantized operators; one linear layer of each mode against the scalar reference (quantized bytes
// and scales equal, products within the rounding of their result); operators against the device
// exact. Errors: usage for a device that mxdit does not know.
DoctorReport examine_device(const EngineOptions& options, const CheckSink& each = {});

}  // namespace mxdit

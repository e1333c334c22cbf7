// One thing that the doctor tries on a back end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "mxdit/doctor.h"

namespace mxdit::doctor {

struct Check {
  std::string group, name;
  // Returns what was found. Throws Error: unsupported where the device refuses, anything else for a
  // failure.
  std::function<std::string(Backend&)> run;
};

std::vector<Check> memory_checks();
std::vector<Check> vector_checks();
std::vector<Check> layer_checks();
std::vector<Check> operator_checks();

// All of them.
std::vector<Check> all_checks();

// What a device's report says, as checks.
std::vector<DoctorCheck> device_checks(const DeviceReport& device);

// Runs the checks on `backend`, or skips them where that is null. `make` makes a new one after a
// failure, since some failures end a device's work. Appends to `done` and tells `each`.
using MakeBackend = std::function<std::unique_ptr<Backend>()>;
void run_checks(const MakeBackend& make, std::unique_ptr<Backend> backend,
                const std::vector<Check>& checks, const CheckSink& each,
                std::vector<DoctorCheck>& done);

}  // namespace mxdit::doctor

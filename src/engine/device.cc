#include "mxdit/device.h"

#include "backend/registry.h"
#include "doctor/check.h"
#include "mxdit/doctor.h"
#include "mxdit/engine.h"
#include "pipelines/memory_use.h"

namespace mxdit {

DeviceReport inspect_device(const EngineOptions& options) {
  DeviceReport report = describe_device(options.device, {options.threads, options.isa});
  if (!report.memory_bytes && report.libraries.empty()) {
    report.memory_bytes = total_memory();
    report.available_bytes = available_memory();
  }
  return report;
}

DoctorReport examine_device(const EngineOptions& options, const CheckSink& each) {
  const auto make = [&] { return make_backend(options.device, {options.threads, options.isa}); };
  DoctorReport report;
  report.version = version();
  std::unique_ptr<Backend> backend;
  try {
    backend = make();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::usage) throw;
  }
  report.device = inspect_device(options);  // while the other is open: the libraries start once
  for (const DoctorCheck& check : doctor::device_checks(report.device)) {
    report.checks.push_back(check);
    if (each) each(check);
  }
  doctor::run_checks(make, std::move(backend), doctor::all_checks(), each, report.checks);
  return report;
}

}  // namespace mxdit

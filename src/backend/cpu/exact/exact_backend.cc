#include "backend/cpu/exact/exact_backend.h"

namespace mxdit::cpu::exact {
namespace {

BackendOptions scalar_kernels(const BackendOptions& options) {
  if (!options.isa.empty())
    fail(ErrorKind::usage, "[backend] kernel table: expected none for the device exact, got ",
         options.isa);
  BackendOptions scalar = options;
  scalar.isa = "scalar";
  return scalar;
}

}  // namespace

ExactBackend::ExactBackend(const BackendOptions& options) : CpuBackend(scalar_kernels(options)) {}

std::string ExactBackend::description() const {
  const int threads = this->threads().size();
  return "exact: in double, rounded once, " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

DeviceReport ExactBackend::report() const {
  DeviceReport report = CpuBackend::report();
  report.device = name();
  report.chosen_by = "--device exact";
  report.kernels.clear();
  for (ProductReport& product : report.products) product.passed_over.clear();
  return report;
}

}  // namespace mxdit::cpu::exact

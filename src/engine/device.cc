#include "mxdit/device.h"

#include "backend/registry.h"
#include "mxdit/engine.h"
#include "pipelines/memory_use.h"

namespace mxdit {

DeviceReport inspect_device(const EngineOptions& options) {
  DeviceReport report = make_backend(options.device, {options.threads, options.isa})->report();
  report.memory_bytes = total_memory();
  report.available_bytes = available_memory();
  return report;
}

}  // namespace mxdit

#include "mxdit/device.h"

#include "backend/registry.h"
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

}  // namespace mxdit

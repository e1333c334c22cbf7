// A device's report as text and as JSON.
#pragma once

#include <string>

#include "mxdit/device.h"

namespace mxdit::cli {

std::string device_text(const DeviceReport& report);
std::string device_json(const DeviceReport& report);

}  // namespace mxdit::cli

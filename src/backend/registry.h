// Back ends by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace mxdit {

// device: "cpu", "exact" (the CPU in double, to hold others against), "ascend" or "ascend:N" (Ascend
// NPU N of those that CANN shows; 0 without it). Error{usage} for an unknown name, with the known
// ones; Error{unsupported} for a forced instruction set this machine lacks, with the ones it has, and
// for a device whose libraries are missing or too old; Error{not_found} for a device that is not there.
std::unique_ptr<Backend> make_backend(const std::string& device, const BackendOptions& options);

// What is known of a device even where it cannot be used: then `problem` says why. Error{usage} as
// above.
DeviceReport describe_device(const std::string& device, const BackendOptions& options);

// Whether that is a device that mxdit knows, there or not.
bool is_device_name(const std::string& device);

std::vector<std::string> backend_names();

}  // namespace mxdit

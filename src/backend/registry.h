// Back ends by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace mxdit {

// device: "cpu", "exact" (the CPU in double, to hold others against). Error{usage} for an unknown name, with the known
// ones; Error{unsupported} for a forced instruction set this machine lacks, with the ones it has.
std::unique_ptr<Backend> make_backend(const std::string& device, const BackendOptions& options);

std::vector<std::string> backend_names();

}  // namespace mxdit

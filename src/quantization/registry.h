// Linear methods by key. A new method is a folder in methods/ and a line in registry.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quantization/linear_method.h"

namespace mxdit {

// Error{unsupported} for an unknown key, with the known ones.
std::shared_ptr<const LinearMethod> make_linear_method(const std::string& key);

std::vector<std::string> linear_method_names();

}  // namespace mxdit

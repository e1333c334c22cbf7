// Flags that the reference system has and this version has not: they are refused by name, never
// accepted without effect.
#pragma once

#include <string>

namespace mxdit::cli {

// `name` without dashes in front, with dashes between words.
bool is_reference_flag(const std::string& name);

}  // namespace mxdit::cli

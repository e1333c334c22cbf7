// "Did you mean" for flags, keys and commands.
#pragma once

#include <string>
#include <vector>

namespace mxdit::cli {

// The candidate with the smallest edit distance, or one that `name` begins; empty when none is
// near enough to be meant.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace mxdit::cli

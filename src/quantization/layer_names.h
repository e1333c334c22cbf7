// The ways in which configurations name the layers that stay plain.
#pragma once

#include <string>
#include <vector>

namespace mxdit {

// Whether one of `ignored` is a run of whole dotted segments of `layer`: "attn1" and "0.attn1" name
// "blocks.0.attn1.to_q", "attn1.to_" does not.
bool is_ignored(const std::string& layer, const std::vector<std::string>& ignored);

// Whether `pattern`, in which `*` stands for any characters, is the whole of `name`.
bool matches_stars(const std::string& pattern, const std::string& name);

// The same with all of the shell's patterns: `*`, `?`, `[ab]`, `[!ab]`.
bool matches_shell(const std::string& pattern, const std::string& name);

}  // namespace mxdit

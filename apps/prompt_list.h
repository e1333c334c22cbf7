// Prompts from files, and what every prompt has to be.
#pragma once

#include <string>
#include <vector>

namespace mxdit::cli {

// The lines of a .txt file in UTF-8, without blank ones. Throws Error{usage} for another extension
// or a file without prompts, Error{not_found} for a missing one; `flag` is named in all of them.
std::vector<std::string> read_prompts(const std::string& file, const std::string& flag);

// Throws Error{usage} naming `flag` for text that is not UTF-8 or holds a NUL.
void check_prompt(const std::string& prompt, const std::string& flag);

}  // namespace mxdit::cli

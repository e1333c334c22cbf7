// Reports as files.
#pragma once

#include <string>

namespace mxdit::cli {

// Error{io} naming `flag` when `path` cannot be written; leaves nothing behind.
void check_text_file(const std::string& flag, const std::string& path);

// The file appears complete or not at all. Error{io} naming `flag`.
void write_text_file(const std::string& flag, const std::string& path, const std::string& text);

}  // namespace mxdit::cli

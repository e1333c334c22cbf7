// UTF-8 as the program's arguments and files have it.
#pragma once

#include <string>

namespace mxdit::cli {

// Well-formed by RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
bool is_utf8(const std::string& text);

// The first `count` code points, and never more than `bytes` bytes, cut between code points.
std::string utf8_prefix(const std::string& text, size_t count, size_t bytes);

}  // namespace mxdit::cli

// Help texts in columns.
#pragma once

#include <string>

#include "flag_set.h"

namespace mxdit::cli {

// `text` broken at spaces into lines of at most `width` columns, each begun by `indent` spaces.
// Line breaks in `text` stay.
std::string wrapped(const std::string& text, size_t width, size_t indent);

// All flags, under the titles of their groups, with defaults.
std::string flag_help(const FlagSet& flags);

}  // namespace mxdit::cli

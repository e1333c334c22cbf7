// Raising errors of the command line itself, in the form of the library's.
#pragma once

#include <sstream>
#include <string>

#include "mxdit/error.h"

namespace mxdit::cli {

// Throws Error{kind} with the text "[cli] " and all parts.
template <typename... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream out;
  out << "[cli] ";
  (out << ... << parts);
  throw Error(kind, out.str());
}

// How a user's text is shown in messages: quoted, control characters and broken UTF-8 replaced,
// long texts shortened.
std::string shown_text(const std::string& text);

}  // namespace mxdit::cli

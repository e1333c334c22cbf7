// The one way to raise an error inside the library: fail(kind, "[room] what: expected X, got Y").
#pragma once

#include <sstream>
#include <string>

#include "mxdit/error.h"

namespace mxdit {

namespace detail {
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}
}  // namespace detail

// Throws Error{kind} whose text is all parts written one after the other.
template <typename... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, detail::concat(parts...));
}

// For conditions that only a defect of mxdit can break; the text is built only on failure.
#define MXDIT_CHECK(condition, ...)                                             \
  do {                                                                          \
    if (!(condition)) ::mxdit::fail(::mxdit::ErrorKind::internal, __VA_ARGS__); \
  } while (false)

}  // namespace mxdit

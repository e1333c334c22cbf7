// HTML character references. The table of names is that of the gumbo parser, which is HTML5's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mxdit::text {

// Python's html.unescape: numeric references and names, old names also without a semicolon and in
// front of other letters ("&notit;" is "¬it;"), as HTML5 says.
std::u32string html_unescape(std::u32string_view text);

// ftfy's narrower reading, which leaves "this&not that" alone: only "&...;" with the semicolon, and
// names of lower case also written in upper case ("&EACUTE;").
std::u32string html_unescape_strict(std::u32string_view text);

}  // namespace mxdit::text

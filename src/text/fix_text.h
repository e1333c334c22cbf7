// ftfy.fix_text 6.3.1 with its defaults: misread encodings, HTML references, terminal escapes,
// ligatures, widths, quotes, line breaks, control characters, NFC.
//
// Differences that remain: Unicode tables are ICU's instead of Python's; surrogates do not occur,
// since the input is UTF-8; a text that never settles is given up after kMaxRounds (fix_text.cc).
#pragma once

#include <string>
#include <string_view>

namespace mxdit::text {

std::u32string fix_text(std::u32string_view text);

}  // namespace mxdit::text

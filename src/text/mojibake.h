// Repairs text that is UTF-8 read in a single-byte encoding ("schÃ¶n" for "schön"), once or several
// times over, as ftfy 6.3.1's fix_encoding does with its defaults.
//
// A repair is tried only where looks_misread() says so: the text is encoded in each of charmaps()
// and taken as UTF-8. On the way bytes are put right that other programs lost: a space for 0xA0,
// U+FFFD for an unknown byte, surrogates as CESU-8 writes them. Where the text as a whole is
// not misread, runs inside it that look like UTF-8 are repaired on their own.
#pragma once

#include <string>
#include <string_view>

namespace mxdit::text {

std::u32string fix_encoding(std::u32string_view text);

// C1 control characters as the windows-1252 characters of the same bytes.
std::u32string fix_c1_controls(std::u32string_view text);

}  // namespace mxdit::text

// Does a text look as if it had been read in the wrong encoding?
#pragma once

#include <string_view>

namespace mxdit::text {

// True when some neighbouring characters are much more likely to come from misread UTF-8 than from
// a writer, such as an accented letter followed by a currency sign. The character groups and the
// suspicious sequences are those of ftfy 6.3.1.
bool looks_misread(std::u32string_view text);

}  // namespace mxdit::text

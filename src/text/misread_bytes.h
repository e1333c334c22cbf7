// Bytes that were UTF-8 before a careless program touched them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mxdit::text {

// Puts 0xA0 back where a space stands inside what would be a UTF-8 sequence of a likely character.
std::string restore_a0(std::string_view bytes);

// Replaces UTF-8 sequences of which a byte was lost (0x1A, or one '?') by U+FFFD.
std::string replace_lossy(std::string_view bytes);

// UTF-8, also with surrogate pairs written as two sequences (CESU-8) and U+0000 as C0 80 (Java).
// Nothing when the bytes are not that.
std::optional<std::u32string> decode_utf8_variants(std::string_view bytes);

}  // namespace mxdit::text

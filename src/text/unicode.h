// Text as code points, with the character classes of Python's str and ICU's normal forms.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mxdit::text {

// Length in bytes of the UTF-8 sequence at `at`, and its code point; 0 where none is well-formed
// (shortest form, no surrogates, at most U+10FFFF).
size_t decode_one(std::string_view bytes, size_t at, char32_t* code_point);
std::optional<std::u32string> decode_utf8(std::string_view bytes);
// Surrogates and values above U+10FFFF become U+FFFD.
std::string encode_utf8(std::u32string_view text);
void append_utf8(char32_t code_point, std::string* out);

// str.isspace(), which is also `\s` of a Python pattern.
bool is_space(char32_t c);
// `\w` of a Python pattern.
bool is_word(char32_t c);

std::u32string nfc(std::u32string_view text);
std::u32string nfkc(std::u32string_view text);
// Upper case by the full mapping, without a language.
std::u32string upper_case(std::u32string_view text);

}  // namespace mxdit::text

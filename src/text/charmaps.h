// The single-byte encodings that text is wrongly read in, in the order ftfy tries them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mxdit::text {

constexpr char32_t kReplacement = 0xFFFD;
constexpr unsigned char kSubstitute = 0x1A;

struct Charmap {
  const char* name;
  bool sloppy;  // as browsers read it; byte 0x1A stands for U+FFFD, a character that was lost
  std::array<char16_t, 128> high;  // bytes 0x80 to 0xFF; all zero: the byte itself

  char32_t decode(unsigned char byte) const;
  // Nothing when a character is not in the encoding.
  std::optional<std::string> encode(std::u32string_view text) const;

 private:
  int byte_of(char32_t c) const;  // -1: none
};

// latin-1, windows-1252, -1251, -1250, -1253, -1254, -1257, iso-8859-2, macroman, cp437
std::span<const Charmap> charmaps();

}  // namespace mxdit::text

#include "text/fix_text.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "text/html_entities.h"
#include "text/mojibake.h"
#include "text/unicode.h"

namespace mxdit::text {
namespace {

constexpr size_t kMaxSegment = 1'000'000;
// Real texts settle in a few rounds; this only bounds hostile ones.
constexpr int kMaxRounds = 100;

struct Ligature {
  char32_t character;
  std::u32string_view letters;
};

constexpr Ligature kLigatures[] = {
    {U'Ĳ', U"IJ"},      {U'ĳ', U"ij"},      {U'ŉ', U"\u02bcn"},  {U'Ǳ', U"DZ"},
    {U'ǲ', U"Dz"},      {U'ǳ', U"dz"},      {U'Ǆ', U"DŽ"},       {U'ǅ', U"Dž"},
    {U'ǆ', U"dž"},      {U'Ǉ', U"LJ"},      {U'ǈ', U"Lj"},       {U'ǉ', U"lj"},
    {U'Ǌ', U"NJ"},      {U'ǋ', U"Nj"},      {U'ǌ', U"nj"},       {U'\uFB00', U"ff"},
    {U'\uFB01', U"fi"}, {U'\uFB02', U"fl"}, {U'\uFB03', U"ffi"}, {U'\uFB04', U"ffl"},
    {U'\uFB05', U"ſt"}, {U'\uFB06', U"st"},
};

void append_without_ligature(char32_t c, std::u32string* out) {
  for (const Ligature& ligature : kLigatures) {
    if (ligature.character == c) {
      *out += ligature.letters;
      return;
    }
  }
  out->push_back(c);
}

std::u32string fix_ligatures(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) append_without_ligature(c, &out);
  return out;
}

// Full width Latin and half width Katakana to the usual width.
std::u32string fix_width(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (c == 0x3000) {
      out.push_back(U' ');
    } else if (c >= 0xFF01 && c < 0xFFF0) {
      out += nfkc(std::u32string_view(&c, 1));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

char32_t straight_quote(char32_t c) {
  if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B)) return U'\'';
  return c >= 0x201C && c <= 0x201F ? U'"' : c;
}

std::u32string fix_line_breaks(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == U'\r' && i + 1 < text.size() && text[i + 1] == U'\n') continue;
    const bool line_break = c == U'\r' || c == 0x2028 || c == 0x2029 || c == 0x85;
    out.push_back(line_break ? U'\n' : c);
  }
  return out;
}

// Length of a terminal escape at `at`: ESC [ digits and semicolons, a letter; 0: none.
size_t escape_length(std::u32string_view text, size_t at) {
  if (text[at] != 0x1B || at + 1 >= text.size() || text[at + 1] != U'[') return 0;
  size_t i = at + 2;
  while (i < text.size() && (text[i] == U';' || u_isdigit(static_cast<UChar32>(text[i])))) ++i;
  if (i >= text.size()) return 0;
  const char32_t c = text[i] | 0x20;
  return c >= U'a' && c <= U'z' ? i + 1 - at : 0;
}

// Without visible effect, or of use only in mark-up. White space stays, C1 controls too.
bool is_removable_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c < 0x20) || c == 0x7F ||
         (c >= 0x206A && c < 0x2070) || c == 0xFEFF || (c >= 0xFFF9 && c < 0xFFFD);
}

std::u32string remove_escapes(std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = escape_length(text, at);
    if (length == 0) out.push_back(text[at]);
    at += length == 0 ? 1 : length;
  }
  return out;
}

std::u32string fix_round(std::u32string_view segment, bool unescape) {
  std::u32string text = unescape ? html_unescape_strict(segment) : std::u32string(segment);
  text = fix_c1_controls(fix_encoding(text));
  text = fix_width(fix_ligatures(text));
  for (char32_t& c : text) c = straight_quote(c);
  text = remove_escapes(fix_line_breaks(text));
  std::erase_if(text, is_removable_control);
  return nfc(text);
}

std::u32string fix_segment(std::u32string_view segment, bool unescape) {
  std::u32string text(segment);
  for (int round = 0; round < kMaxRounds; ++round) {
    std::u32string next = fix_round(text, unescape);
    if (next == text) break;
    text = std::move(next);
  }
  return text;
}

}  // namespace

std::u32string fix_text(std::u32string_view text) {
  std::u32string out;
  // Once a '<' was seen the text is taken for mark-up, whose references have a meaning.
  bool unescape = true;
  for (size_t at = 0; at < text.size();) {
    const size_t line_break = text.find(U'\n', at);
    const size_t line = (line_break == text.npos ? text.size() : line_break + 1) - at;
    const std::u32string_view segment = text.substr(at, std::min(line, kMaxSegment));
    if (segment.find(U'<') != segment.npos) unescape = false;
    out += fix_segment(segment, unescape);
    at += segment.size();
  }
  return out;
}

}  // namespace mxdit::text

#include "text/badness.h"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "text/unicode.h"

namespace mxdit::text {
namespace {

// Groups of characters that occur in misread UTF-8, as bits.
enum Group : uint32_t {
  kCommon = 1u << 0,  // at home in many places
  kC1 = 1u << 1,      // control characters nobody writes
  kBad = 1u << 2,     // hardly ever written
  kLaw = 1u << 3,
  kCurrency = 1u << 4,
  kStart = 1u << 5,  // opening punctuation
  kEnd = 1u << 6,    // closing punctuation
  kNumeric = 1u << 7,
  kFace = 1u << 8,    // letters drawn as faces
  kUpper = 1u << 9,   // accented capitals
  kLower = 1u << 10,  // accented small letters
  kUpperCommon = 1u << 11,
  kLowerCommon = 1u << 12,
  kBox = 1u << 13,
  // ASCII and classes, not in the table of groups.
  kAsciiUpper = 1u << 14,
  kAsciiLower = 1u << 15,
  kSpace = 1u << 16,
  kWord = 1u << 17,
  kNotAsciiLetter = 1u << 18,
  kNotNewline = 1u << 19,
  kTextStart = 1u << 20,  // an empty match at the start of the text
};

struct Members {
  Group group;
  std::u32string_view characters;
};

constexpr Members kMembers[] = {
    {kCommon, U"\u00a0\u00ad\u00b4·–—―’…"},
    {kBad, U"¤¦\u00a8ª¬\u00af\u00b8ºƒ\u02c6\u02c7\u02d8\u02db\u02dc†‡‰⌐◊\ufffd"},
    {kLaw, U"§¶"},
    {kCurrency, U"¢£¥₧€"},
    {kStart, U"¡©«¿\u0384\u0385‘‚“„•‹\uf8ff"},
    {kEnd, U"®»\u02dd”›™"},
    {kNumeric, U"±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"},
    {kFace, U"°ÒÓÔÕÖÙÚÛÜòóôõöøùúûüŌŐŪŲ"},
    {kUpper, U"ØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"},
    {kLower, U"üāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"},
    {kUpperCommon, U"ÞΆΈΉΊΌΎΏ"},
    {kBox, U"│┌┐┘├┤┬┼▀▄█▌▐░▒▓"},
};

struct Range {
  Group group;
  char32_t first, last;
};

constexpr Range kRanges[] = {
    {kC1, 0x80, 0x9F},
    {kUpper, 0xC0, 0xD1},
    {kLower, 0xDF, 0xF1},
    {kUpperCommon, 0x391, 0x3AB},
    {kUpperCommon, 0x401, 0x42F},
    {kLowerCommon, 0x3AC, 0x3C9},
    {kLowerCommon, 0x430, 0x45F},
    {kBox, 0x2550, 0x256C},
};

// One place of a sequence: any character of the groups or of the list.
struct Place {
  uint32_t groups = 0;
  std::u32string_view listed = {};
};

using Sequence = std::vector<Place>;

// clang-format off
const std::vector<Sequence>& sequences() {
  constexpr uint32_t kMarks = kBox | kStart | kEnd | kCurrency | kNumeric | kLaw;
  constexpr uint32_t kAccented = kLower | kUpper;
  constexpr uint32_t kAsciiLetter = kAsciiUpper | kAsciiLower;
  constexpr uint32_t kArabicTail = kCommon | kCurrency | kBad | kNumeric | kStart;
  constexpr uint32_t kCyrillicMiddle = kC1 | kBad | kStart | kEnd | kCurrency;
  static const std::vector<Sequence> all = {
      {{kC1}},
      {{kBad | kAccented | kMarks}, {kBad}},
      {{kAsciiLetter}, {kLowerCommon | kUpperCommon}, {kBad}},
      {{kBad}, {kAccented | kMarks}},
      {{kLower | kLowerCommon | kBox | kEnd | kCurrency | kNumeric}, {kUpper}},
      {{kBox | kEnd | kCurrency | kNumeric}, {kLower}},
      {{kLower | kBox | kEnd}, {kCurrency}},
      {{kSpace}, {kUpper}, {kCurrency}},
      {{kUpper | kBox}, {kNumeric | kLaw}},
      {{kAccented | kBox | kCurrency | kEnd}, {kStart}, {kNumeric}},
      {{kAccented | kCurrency | kNumeric | kBox | kLaw}, {kEnd}, {kStart}},
      {{kCurrency | kNumeric | kBox}, {kStart}},
      {{kAsciiLower}, {kUpper}, {kStart | kCurrency}},
      {{kBox}, {kFace}},
      {{kAccented | kCurrency | kNumeric | kStart | kEnd | kLaw}, {kBox}},
      {{kBox}, {kEnd}},
      {{kAccented}, {kStart | kEnd}, {kWord}},
      {{0, U"Œœ"}, {kNotAsciiLetter}},
      {{kUpper}, {0, U"°"}},
      // windows-1252: Latin, Greek, Cyrillic, Arabic, South Asian
      {{0, U"ÂÃÎÐ"}, {kStart | kEnd, U"€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—\u00b4"}},
      {{0, U"×"}, {0, U"²³"}},
      {{0, U"ØÙ"}, {kArabicTail, U"ŸŠ®°µ»"}, {0, U"ØÙ"}, {kArabicTail, U"ŸŠ®°µ»"}},
      {{0, U"à"}, {0, U"²µ¹¼½¾"}},
      // macroman
      {{0, U"√"}, {0, U"±∂†≠®™\u00b4≤≥¥µø"}},
      {{0, U"≈"}, {0, U"°¢"}},
      {{0, U"‚"}, {0, U"Ä"}, {0, U"ìîïòôúùû†°¢π"}},
      {{0, U"‚"}, {0, U"âó"}, {0, U"àä°ê"}},
      // windows-1251
      {{0, U"в"}, {0, U"Ђ"}},
      {{0, U"ВГРС"}, {kCyrillicMiddle, U"°µ"}, {0, U"ВГРС"}},
      {{0, U"Г"}, {0, U"ў"}, {0, U"В"}, {0, U"Ђ"}, {0, U"В"}, {kNotNewline}, {kAsciiLetter, U" "}},
      // windows-1252: à, á, no-break space, and what became of it
      {{0, U"Ã"}, {0, U"\u00a0¡"}},
      {{kAsciiLower}, {0, U"ÃÂ"}, {0, U" "}},
      {{kAsciiLower}, {kSpace}, {0, U"ÃÂ"}, {0, U" "}},
      {{kTextStart}, {0, U"ÃÂ"}, {0, U" "}},
      {{kAsciiLower | kEnd, U".,?!"}, {0, U"Â"}, {kStart | kEnd, U" "}},
      // windows-1253, windows-1257
      {{0, U"β"}, {0, U"€"}, {0, U"™\u00a0Ά\u00ad®°"}},
      {{0, U"ΒΓΞΟ"}, {kCyrillicMiddle, U"°"}, {0, U"ΒΓΞΟ"}},
      {{0, U"ā"}, {0, U"€"}},
  };
  return all;
}
// clang-format on

std::unordered_map<char32_t, uint32_t> make_group_table() {
  std::unordered_map<char32_t, uint32_t> table;
  for (const Members& members : kMembers) {
    for (const char32_t c : members.characters) table[c] |= members.group;
  }
  for (const Range& range : kRanges) {
    for (char32_t c = range.first; c <= range.last; ++c) table[c] |= range.group;
  }
  return table;
}

uint32_t groups_of(char32_t c) {
  static const auto table = make_group_table();
  uint32_t groups = 0;
  const bool upper = c >= 'A' && c <= 'Z';
  const bool lower = c >= 'a' && c <= 'z';
  if (upper) groups |= kAsciiUpper;
  if (lower) groups |= kAsciiLower;
  if (!upper && !lower) groups |= kNotAsciiLetter;
  if (c != '\n') groups |= kNotNewline;
  if (is_space(c)) groups |= kSpace;
  if (is_word(c)) groups |= kWord;
  if (c < 0x80) return groups;
  const auto found = table.find(c);
  return found == table.end() ? groups : groups | found->second;
}

bool matches(const Sequence& sequence, std::u32string_view text,
             const std::vector<uint32_t>& groups, size_t at) {
  for (const Place& place : sequence) {
    if (place.groups == kTextStart) {
      if (at != 0) return false;
      continue;
    }
    if (at >= text.size()) return false;
    const bool fits = (groups[at] & place.groups) != 0 ||
                      place.listed.find(text[at]) != std::u32string_view::npos;
    if (!fits) return false;
    ++at;
  }
  return true;
}

}  // namespace

bool looks_misread(std::u32string_view text) {
  std::vector<uint32_t> groups;
  groups.reserve(text.size());
  for (const char32_t c : text) groups.push_back(groups_of(c));
  for (size_t at = 0; at < text.size(); ++at) {
    for (const Sequence& sequence : sequences()) {
      if (matches(sequence, text, groups, at)) return true;
    }
  }
  return false;
}

}  // namespace mxdit::text

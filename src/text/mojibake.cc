#include "text/mojibake.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "text/badness.h"
#include "text/charmaps.h"
#include "text/misread_bytes.h"

namespace mxdit::text {
namespace {

// Which bytes of a UTF-8 sequence a character may be, when read in one of the encodings below.
enum Role : uint8_t { kLead2 = 1, kLead3 = 2, kLead4 = 4, kTail = 8, kTailOnly = 16 };

// latin-1 and the Windows code pages; the others read letters at quite different places.
constexpr size_t kRelatedCharmaps = 7;

std::unordered_map<char32_t, uint8_t> make_role_table() {
  std::unordered_map<char32_t, uint8_t> roles;
  for (const Charmap& charmap : charmaps().first(kRelatedCharmaps)) {
    const auto mark = [&](int first, int last, int role) {
      for (int byte = first; byte <= last; ++byte) {
        roles[charmap.decode(static_cast<unsigned char>(byte))] |= static_cast<uint8_t>(role);
      }
    };
    mark(0x80, 0xBF, kTail | kTailOnly);
    mark(0xC2, 0xDF, kLead2);
    mark(0xE0, 0xEF, kLead3);
    mark(0xF0, 0xF0, kLead4);
    mark(0xF3, 0xF3, kLead4);
  }
  // A space may have been the byte 0xA0. Like the marks of ordinary text it may also be itself.
  roles[U' '] |= kTail;
  for (const char32_t c : std::u32string_view(U"–—―‘’‚“”„•…")) {
    roles[c] &= static_cast<uint8_t>(~kTailOnly);
  }
  return roles;
}

bool has_role(char32_t c, Role role) {
  static const auto table = make_role_table();
  const auto found = table.find(c);
  return found != table.end() && (found->second & role) != 0;
}

// Length of one misread UTF-8 sequence at `at`; 0: none.
size_t sequence_length(std::u32string_view text, size_t at) {
  const auto tails = [&](size_t count) {
    if (text.size() - at <= count) return false;
    const auto tail = text.substr(at + 1, count);
    return std::all_of(tail.begin(), tail.end(), [](char32_t c) { return has_role(c, kTail); });
  };
  if (has_role(text[at], kLead2) && tails(1)) return 2;
  if (has_role(text[at], kLead3) && tails(2)) return 3;
  if (has_role(text[at], kLead4) && tails(3)) return 4;
  return 0;
}

// Repairs the runs of misread sequences on their own. A run does not start behind a character that
// is a part of a larger garble, and is shorter than the text, so that this comes to an end.
std::u32string fix_runs(std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    if (at == 0 || !has_role(text[at - 1], kTailOnly)) {
      for (size_t length = 1; length != 0 && end < text.size(); end += length) {
        length = sequence_length(text, end);
      }
    }
    if (end == at) {
      out.push_back(text[at++]);
      continue;
    }
    const std::u32string_view run = text.substr(at, end - at);
    if (run.size() < text.size() && looks_misread(run)) {
      out += fix_encoding(run);
    } else {
      out += run;
    }
    at = end;
  }
  return out;
}

// The text as UTF-8 that was read in one of the single-byte encodings, if it was.
std::optional<std::u32string> reread(std::u32string_view text) {
  for (const Charmap& charmap : charmaps()) {
    auto bytes = charmap.encode(text);
    if (!bytes) continue;
    // In macroman, an en dash and a space would look like a lost 0xA0.
    if (std::string_view(charmap.name) != "macroman") bytes = restore_a0(*bytes);
    if (charmap.sloppy) bytes = replace_lossy(*bytes);
    if (auto decoded = decode_utf8_variants(*bytes)) return decoded;
  }
  return std::nullopt;
}

std::u32string fix_once(const std::u32string& text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
  if (ascii || !looks_misread(text)) return text;
  if (auto whole = reread(text)) return *whole;
  std::u32string runs = fix_runs(text);
  return runs != text ? runs : fix_c1_controls(text);
}

}  // namespace

std::u32string fix_encoding(std::u32string_view text) {
  std::u32string fixed(text);
  while (true) {
    std::u32string next = fix_once(fixed);
    if (next == fixed) return fixed;
    fixed = std::move(next);
  }
}

std::u32string fix_c1_controls(std::u32string_view text) {
  const Charmap& windows1252 = charmaps()[1];
  std::u32string out(text);
  for (char32_t& c : out) {
    if (c >= 0x80 && c < 0xA0) c = windows1252.decode(static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace mxdit::text

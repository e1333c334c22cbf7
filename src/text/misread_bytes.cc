#include "text/misread_bytes.h"

#include <initializer_list>

#include "text/unicode.h"

namespace mxdit::text {
namespace {

// Reads bytes behind the end as a byte that no pattern has.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  int operator[](size_t i) const {
    return i < bytes_.size() ? static_cast<unsigned char>(bytes_[i]) : -1;
  }
  bool starts_with(size_t at, std::string_view text) const {
    return at <= bytes_.size() && bytes_.substr(at).starts_with(text);
  }

 private:
  std::string_view bytes_;
};

bool one_of(int byte, std::initializer_list<int> set) {
  for (const int b : set) {
    if (b == byte) return true;
  }
  return false;
}

bool between(int byte, int first, int last) {
  return byte >= first && byte <= last;
}
bool continues(int byte) {
  return between(byte, 0x80, 0xBF);
}
// A continuation byte, but for 0x85 (often an ellipsis) and 0xA0 (which would be the space).
bool continues_plainly(int byte) {
  return continues(byte) && byte != 0x85 && byte != 0xA0;
}

// Length of a sequence at `at` that has a space for 0xA0; 0: none. The lead bytes are those that
// give likely characters.
size_t altered_length(const Bytes& b, size_t at) {
  const int lead = b[at];
  if (one_of(lead, {0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9}) && b[at + 1] == ' ') return 2;
  if (one_of(lead, {0xE2, 0xE3}) && b[at + 1] == ' ' && continues_plainly(b[at + 2])) return 3;
  if (between(lead, 0xE0, 0xE3) && continues_plainly(b[at + 1]) && b[at + 2] == ' ') return 3;
  if (lead != 0xF0) return 0;
  int spaces = 0;
  for (size_t i = 1; i < 4; ++i) {
    if (b[at + i] == ' ') {
      ++spaces;
    } else if (!continues(b[at + i])) {
      return 0;
    }
  }
  return spaces == 1 ? 4 : 0;
}

constexpr int kLost = 0x1A;

bool lost_or_asked(int byte) {
  return byte == kLost || byte == '?';
}
bool lost_or_continues(int byte) {
  return byte == kLost || continues(byte);
}

// `count` bytes of a sequence that continue, at least one lost, at most one of them a '?'.
bool lossy_tail(const Bytes& b, size_t at, size_t count) {
  int lost = 0, asked = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (!lost_or_continues(b[i]) && b[i] != '?') return false;
    lost += b[i] == kLost;
    asked += b[i] == '?';
  }
  return asked + lost > 0 && asked <= 1;
}

// Both halves of a CESU-8 pair, the last byte of one or of both lost.
bool lossy_surrogates(const Bytes& b, size_t at) {
  if (b[at] != 0xED || !between(b[at + 1], 0xA0, 0xAF)) return false;
  if (b[at + 3] != 0xED || !between(b[at + 4], 0xB0, 0xBF)) return false;
  const int high = b[at + 2], low = b[at + 5];
  return (lost_or_asked(high) && (lost_or_asked(low) || continues(low))) ||
         ((lost_or_asked(high) || continues(high)) && lost_or_asked(low));
}

// Length of a sequence at `at` of which a byte was lost; 0: none.
size_t lossy_length(const Bytes& b, size_t at) {
  const int lead = b[at];
  if (between(lead, 0xC2, 0xDF) && b[at + 1] == kLost) return 2;
  if (between(lead, 0xC2, 0xC3) && b[at + 1] == '?') return 2;
  if (lossy_surrogates(b, at)) return 6;
  if (between(lead, 0xE0, 0xEF) && lossy_tail(b, at + 1, 2)) return 3;
  if (between(lead, 0xF0, 0xF4) && lossy_tail(b, at + 1, 3)) return 4;
  return lead == kLost ? 1 : 0;
}

// "Ã " is mostly "à" with its space: a word, but for the Portuguese words that go on. For those the
// space is only the byte.
bool is_a_grave_word(const Bytes& b, size_t at) {
  if (b[at] != 0xC3 || b[at + 1] != ' ') return false;
  for (const char* rest : {" ", "quele", "quela", "quilo", "s "}) {
    if (b.starts_with(at + 2, rest)) return false;
  }
  return true;
}

// The code point of a CESU-8 pair at `at`; 0: none.
char32_t surrogate_pair(const Bytes& b, size_t at) {
  const bool pair = b[at] == 0xED && between(b[at + 1], 0xA0, 0xAF) && continues(b[at + 2]) &&
                    b[at + 3] == 0xED && between(b[at + 4], 0xB0, 0xBF) && continues(b[at + 5]);
  if (!pair) return 0;
  const int bits = (b[at + 1] & 0x0F) << 16 | (b[at + 2] & 0x3F) << 10 | (b[at + 4] & 0x0F) << 6 |
                   (b[at + 5] & 0x3F);
  return static_cast<char32_t>(0x10000 + bits);
}

}  // namespace

std::string restore_a0(std::string_view bytes) {
  std::string words;
  const Bytes source(bytes);
  for (size_t at = 0; at < bytes.size(); ++at) {
    words.push_back(bytes[at]);
    if (is_a_grave_word(source, at)) words.push_back('\xA0');
  }
  const Bytes altered(words);
  std::string out = words;
  for (size_t at = 0; at < words.size();) {
    const size_t length = altered_length(altered, at);
    for (size_t i = at; i < at + length; ++i) {
      if (out[i] == ' ') out[i] = '\xA0';
    }
    at += length == 0 ? 1 : length;
  }
  return out;
}

std::string replace_lossy(std::string_view bytes) {
  std::string out;
  const Bytes source(bytes);
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = lossy_length(source, at);
    if (length == 0) {
      out.push_back(bytes[at++]);
    } else {
      append_utf8(0xFFFD, &out);
      at += length;
    }
  }
  return out;
}

std::optional<std::u32string> decode_utf8_variants(std::string_view bytes) {
  std::u32string out;
  const Bytes source(bytes);
  for (size_t at = 0; at < bytes.size();) {
    char32_t c = 0;
    size_t length = decode_one(bytes, at, &c);
    if (length == 0 && source.starts_with(at, "\xC0\x80")) length = 2;
    if (length == 0 && (c = surrogate_pair(source, at)) != 0) length = 6;
    if (length == 0) return std::nullopt;
    out.push_back(c);
    at += length;
  }
  return out;
}

}  // namespace mxdit::text

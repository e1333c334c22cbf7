#include "text/html_entities.h"

#include <gumbo.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <memory>

#include "text/unicode.h"

namespace mxdit::text {
namespace {

constexpr size_t kLongestName = 32;        // html.unescape looks no further
constexpr size_t kLongestStrictName = 24;  // ftfy neither

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char32_t c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// How HTML5 reads `source` ("&amp;", "&ampx"), ASCII without '<'.
std::u32string read_by_gumbo(const std::string& source) {
  // The leading letter keeps white space from being dropped in front of the body.
  const std::string document = "x" + source;
  const auto free_output = [](GumboOutput* output) {
    gumbo_destroy_output(&kGumboDefaultOptions, output);
  };
  const std::unique_ptr<GumboOutput, decltype(free_output)> output(
      gumbo_parse_with_options(&kGumboDefaultOptions, document.data(), document.size()),
      free_output);
  const GumboVector& top = output->root->v.element.children;
  for (unsigned i = 0; i < top.length; ++i) {
    const auto* node = static_cast<const GumboNode*>(top.data[i]);
    if (node->type != GUMBO_NODE_ELEMENT || node->v.element.tag != GUMBO_TAG_BODY) continue;
    if (node->v.element.children.length == 0) break;
    const auto* inner = static_cast<const GumboNode*>(node->v.element.children.data[0]);
    if (inner->type != GUMBO_NODE_TEXT) break;
    if (auto decoded = decode_utf8(inner->v.text.text); decoded && !decoded->empty()) {
      return decoded->substr(1);
    }
  }
  return std::u32string(source.begin(), source.end());
}

// The characters of "&name;", if that is a reference as a whole.
std::optional<std::u32string> named(const std::string& name) {
  std::u32string read = read_by_gumbo("&" + name + ";");
  // A name that is only known without its semicolon leaves that behind.
  if (read.back() == ';' && name != "semi") return std::nullopt;
  return read;
}

// The windows-1252 characters that HTML5 reads in the place of C1 controls.
constexpr char16_t kC1[] = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                            0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                            0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                            0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

// The text of a numeric reference, which is empty for code points that HTML5 forbids.
std::u32string numeric(uint32_t value) {
  if (value == 0 || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF) return U"\uFFFD";
  if (value >= 0x80 && value < 0xA0) return std::u32string(1, kC1[value - 0x80]);
  const bool control =
      (value < 0x20 && value != '\t' && value != '\n' && value != '\f' && value != '\r') ||
      value == 0x7F;
  const bool noncharacter = (value >= 0xFDD0 && value <= 0xFDEF) || (value & 0xFFFE) == 0xFFFE;
  if (control || noncharacter) return {};
  return std::u32string(1, value);
}

struct Reference {
  size_t length = 0;  // characters, '&' included; 0: none
  std::u32string text;
};

// The numeric reference at '&', its semicolon being optional.
Reference numeric_at(std::u32string_view text, size_t at) {
  size_t i = at + 2;
  const bool hex = i < text.size() && (text[i] == 'x' || text[i] == 'X');
  if (hex) ++i;
  const size_t first = i;
  uint32_t value = 0;
  for (; i < text.size() && (hex ? is_hex(text[i]) : is_digit(text[i])); ++i) {
    const char32_t c = text[i];
    const uint32_t digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    value = std::min<uint32_t>(value * (hex ? 16 : 10) + digit, 0x110000);
  }
  if (i == first) return {};
  if (i < text.size() && text[i] == ';') ++i;
  return {i - at, numeric(value)};
}

// The named reference at '&'. Python takes up to 32 characters of any kind for the name, but all
// names are of letters and digits.
Reference named_at(std::u32string_view text, size_t at) {
  std::string source = "&";
  size_t i = at + 1;
  while (i < text.size() && i - at <= kLongestName && (is_letter(text[i]) || is_digit(text[i]))) {
    source.push_back(static_cast<char>(text[i++]));
  }
  if (source.size() == 1) return {};
  if (i < text.size() && text[i] == ';') {
    source.push_back(';');
    ++i;
  }
  std::u32string read = read_by_gumbo(source);
  if (std::equal(read.begin(), read.end(), source.begin(), source.end(),
                 [](char32_t a, char b) { return a == static_cast<unsigned char>(b); })) {
    return {};
  }
  return {i - at, std::move(read)};
}

// Replaces what `reference_at` finds at each '&', from left to right.
template <typename ReferenceAt>
std::u32string replace_references(std::u32string_view text, const ReferenceAt& reference_at) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const Reference found = text[at] == '&' ? reference_at(text, at) : Reference();
    if (found.length == 0) {
      out.push_back(text[at++]);
    } else {
      out += found.text;
      at += found.length;
    }
  }
  return out;
}

Reference reference_at(std::u32string_view text, size_t at) {
  const bool number = at + 1 < text.size() && text[at + 1] == '#';
  return number ? numeric_at(text, at) : named_at(text, at);
}

// "&EACUTE;", unless HTML5 reads a part of it in its own way ("&LTCC;" is "<CC;").
std::optional<std::u32string> shouted(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) {
    if (std::islower(static_cast<unsigned char>(c))) return std::nullopt;
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const std::string source = "&" + name + ";";
  if (read_by_gumbo(source) != std::u32string(source.begin(), source.end())) return std::nullopt;
  const auto text = named(lower);
  return text ? std::optional(upper_case(*text)) : std::nullopt;
}

Reference strict_reference_at(std::u32string_view text, size_t at) {
  size_t i = at + 1;
  const bool number = i < text.size() && text[i] == '#';
  if (number) ++i;
  std::string name;
  while (i < text.size() && name.size() < kLongestStrictName &&
         (is_letter(text[i]) || is_digit(text[i]))) {
    name.push_back(static_cast<char>(text[i++]));
  }
  if (name.empty() || i >= text.size() || text[i] != ';') return {};
  if (number) {
    // The whole has to be the number, and a semicolon is no use as a result.
    Reference found = numeric_at(text, at);
    const bool whole = found.length == i + 1 - at && found.text != U";";
    return whole ? found : Reference();
  }
  auto read = named(name);
  if (!read) read = shouted(name);
  if (!read) return {};
  return {i + 1 - at, std::move(*read)};
}

}  // namespace

std::u32string html_unescape(std::u32string_view text) {
  return replace_references(text, reference_at);
}

std::u32string html_unescape_strict(std::u32string_view text) {
  return replace_references(text, strict_reference_at);
}

}  // namespace mxdit::text

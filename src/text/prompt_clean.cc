#include "text/prompt_clean.h"

#include "core/error.h"
#include "text/fix_text.h"
#include "text/html_entities.h"
#include "text/unicode.h"

namespace mxdit {
namespace {

std::u32string decode_prompt(std::string_view prompt) {
  std::u32string text;
  text.reserve(prompt.size());
  for (size_t at = 0; at < prompt.size();) {
    char32_t c = 0;
    const size_t length = text::decode_one(prompt, at, &c);
    if (length == 0) {
      constexpr char kHex[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(prompt[at]);
      fail(ErrorKind::usage, "[text] prompt: expected UTF-8, got byte 0x", kHex[byte >> 4],
           kHex[byte & 15], " at offset ", at);
    }
    text.push_back(c);
    at += length;
  }
  return text;
}

// Runs of white space to one space, none at the ends.
std::u32string collapse_spaces(std::u32string_view text) {
  std::u32string out;
  bool pending = false;
  for (const char32_t c : text) {
    if (text::is_space(c)) {
      pending = !out.empty();
      continue;
    }
    if (pending) out.push_back(U' ');
    pending = false;
    out.push_back(c);
  }
  return out;
}

}  // namespace

std::string prompt_clean(std::string_view prompt) {
  std::u32string clean = text::fix_text(decode_prompt(prompt));
  clean = text::html_unescape(text::html_unescape(clean));
  return text::encode_utf8(collapse_spaces(clean));
}

}  // namespace mxdit

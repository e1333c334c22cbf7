#include "utf8.h"

#include <cstdint>

#include "app_error.h"

namespace mxdit::cli {
namespace {

// Bytes of the code point at `position`, 0 where there is no well-formed one.
size_t sequence_length(const std::string& text, size_t position) {
  const auto byte = [&](size_t i) {
    return position + i < text.size() ? static_cast<uint8_t>(text[position + i]) : uint8_t{0};
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const uint8_t second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90)) return 0;
  return length;
}

}  // namespace

bool is_utf8(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = sequence_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string utf8_prefix(const std::string& text, size_t count, size_t bytes) {
  size_t end = 0;
  for (size_t i = 0; i < count && end < text.size(); ++i) {
    const size_t length = sequence_length(text, end);
    if (length == 0 || end + length > bytes) break;
    end += length;
  }
  return text.substr(0, end);
}

std::string shown_text(const std::string& text) {
  std::string shown;
  for (size_t i = 0; i < text.size() && shown.size() < 80;) {
    const size_t length = sequence_length(text, i);
    const bool printable = length > 0 && static_cast<uint8_t>(text[i]) >= 0x20 && text[i] != 0x7F;
    shown += printable ? text.substr(i, length) : "?";
    i += length == 0 ? 1 : length;
    if (shown.size() >= 80 && i < text.size()) shown += "...";
  }
  return "'" + shown + "'";
}

}  // namespace mxdit::cli

#include "text/charsmap.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <memory>

#include "core/error.h"
#include "text/unicode.h"

namespace mxdit::text {
namespace {

constexpr size_t kLongestWholeCluster = 5;

// Units of a darts-clone double array.
bool has_leaf(uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
uint32_t leaf_value(uint32_t unit) {
  return unit & 0x7FFFFFFF;
}
uint32_t label(uint32_t unit) {
  return unit & 0x800000FF;
}
uint32_t offset(uint32_t unit) {
  return (unit >> 10) << ((unit & 0x200) >> 6);
}

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

// Ends of the extended grapheme clusters, in UTF-16 units.
std::unique_ptr<icu::BreakIterator> cluster_iterator(const icu::UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<icu::BreakIterator> iterator(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), status));
  MXDIT_CHECK(U_SUCCESS(status), "[text] grapheme clusters: ICU says ", u_errorName(status));
  iterator->setText(text);
  return iterator;
}

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& file) {
  if (blob.empty()) return;
  const uint32_t size = blob.size() < 4 ? 0 : read_u32(blob, 0);
  if (size == 0 || size % 4 != 0 || size > blob.size() - 4 || blob.back() != '\0') {
    fail(ErrorKind::bad_input, "[text] ", file, ": expected a trie and its replacements, got a ",
         "damaged precompiled_charsmap");
  }
  for (size_t at = 4; at < 4 + size_t{size}; at += 4) trie_.push_back(read_u32(blob, at));
  replacements_ = blob.substr(4 + size_t{size});
  if (!decode_utf8(replacements_)) {
    fail(ErrorKind::bad_input, "[text] ", file, ": expected replacements in UTF-8, got a damaged ",
         "precompiled_charsmap");
  }
}

std::optional<uint32_t> Charsmap::shortest_rule(std::string_view text) const {
  size_t node = offset(trie_[0]);
  for (const char c : text) {
    const uint32_t byte = static_cast<unsigned char>(c);
    if (byte == 0) break;
    node ^= byte;
    if (node >= trie_.size() || label(trie_[node]) != byte) break;
    const uint32_t unit = trie_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= trie_.size()) break;
    return leaf_value(trie_[node]);
  }
  return std::nullopt;
}

std::optional<std::string_view> Charsmap::replacement(std::string_view text) const {
  const auto rule = shortest_rule(text);
  if (!rule || *rule >= replacements_.size()) return std::nullopt;
  // A damaged trie may point into the middle of a character.
  if ((replacements_[*rule] & 0xC0) == 0x80) return std::nullopt;
  return std::string_view(replacements_.c_str() + *rule);
}

void Charsmap::normalize_cluster(std::string_view cluster, std::string* out) const {
  if (cluster.size() <= kLongestWholeCluster) {
    if (const auto whole = replacement(cluster)) {
      *out += *whole;
      return;
    }
  }
  char32_t unused = 0;
  for (size_t at = 0; at < cluster.size();) {
    const size_t length = decode_one(cluster, at, &unused);
    const std::string_view character = cluster.substr(at, length);
    *out += replacement(character).value_or(character);
    at += length;
  }
}

std::string Charsmap::normalize(std::string_view text) const {
  if (trie_.empty()) return std::string(text);
  std::string out;
  if (is_ascii(text)) {  // every cluster is one character, but for a line break of two
    for (size_t at = 0; at < text.size();) {
      const size_t length = text.substr(at).starts_with("\r\n") ? 2 : 1;
      normalize_cluster(text.substr(at, length), &out);
      at += length;
    }
    return out;
  }
  const icu::UnicodeString units = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  const auto clusters = cluster_iterator(units);
  for (int32_t begin = clusters->first(), end = clusters->next(); end != icu::BreakIterator::DONE;
       begin = end, end = clusters->next()) {
    std::string cluster;
    units.tempSubStringBetween(begin, end).toUTF8String(cluster);
    normalize_cluster(cluster, &out);
  }
  return out;
}

}  // namespace mxdit::text

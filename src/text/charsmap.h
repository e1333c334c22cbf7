// The normalization rules inside a sentencepiece model ("nmt_nfkc" and the like).
//
// Format: u32 size of a trie in bytes, the trie (darts-clone double array, u32 units, all
// little-endian), then the replacements, each ended by a zero byte. The trie maps byte strings to
// offsets of replacements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mxdit::text {

class Charsmap {
 public:
  // `blob` may be empty: no rules. Error{bad_input} naming `file` for another format.
  Charsmap(std::string_view blob, const std::string& file);

  // As Hugging Face's Precompiled normalizer: a grapheme cluster of less than 6 bytes is replaced
  // as a whole when any rule fits its beginning (the shortest such rule counts), else character by
  // character. `text` is UTF-8.
  std::string normalize(std::string_view text) const;

 private:
  // The replacement of the shortest rule that `text` begins with.
  std::optional<std::string_view> replacement(std::string_view text) const;
  std::optional<uint32_t> shortest_rule(std::string_view text) const;
  void normalize_cluster(std::string_view cluster, std::string* out) const;

  std::vector<uint32_t> trie_;
  std::string replacements_;
};

}  // namespace mxdit::text

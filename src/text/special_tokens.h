// The tokens of a tokenizer that stand for themselves: "</s>", "<pad>", "<extra_id_0>".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "io/json_file.h"
#include "text/unigram.h"

namespace mxdit::text {

struct SpecialTokens {
  std::map<std::string, int32_t, std::less<>> ids;
  int32_t pad = 0;
  int32_t eos = 1;
  int64_t vocabulary_size = 0;  // pieces, and tokens beyond them

  // The special token at `at`, the longest one; empty: none.
  std::string_view match(std::string_view text, size_t at) const;
};

// From tokenizer_config.json (`config`, of `file`) and special_tokens_map.json (`map`), both null
// where absent. Tokens that are no pieces get the ids after the last one in the order in which
// transformers adds them, unless added_tokens_decoder gives them ids.
SpecialTokens read_special_tokens(const Json& config, const Json& map, const std::string& file,
                                  const Unigram& unigram, int64_t pieces);

}  // namespace mxdit::text

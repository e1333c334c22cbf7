// Text to token ids with the sentencepiece model of a `tokenizer` component folder, as Hugging
// Face's T5Tokenizer does it for UMT5.
//
// Reads spiece.model, and where present tokenizer_config.json and special_tokens_map.json for the
// special tokens. Special token strings inside the text ("</s>", "<extra_id_0>") become their ids.
// Characters outside the vocabulary become one <unk> per run: Hugging Face does not use the byte
// fallback of the model. Immutable after loading; any thread may encode.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/tensor.h"

namespace mxdit {

struct TokenIds {
  Tensor ids;          // i32 [1, max_length], host: tokens, end of sequence, padding
  int64_t length = 0;  // tokens that are real, end of sequence included
};

class Tokenizer {
 public:
  // Error{not_found} without spiece.model, Error{unsupported} when only tokenizer.json is there,
  // Error{bad_input} for a broken file; all name the file.
  explicit Tokenizer(const std::filesystem::path& folder);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // `clean_text` is UTF-8 that went through prompt_clean. Longer texts are cut so that the end of
  // sequence token is the last of max_length >= 1.
  TokenIds encode(std::string_view clean_text, int64_t max_length) const;

  // One more than the largest id that encode() can give; has to fit the encoder's embedding.
  int64_t vocabulary_size() const noexcept;
  int32_t pad_id() const noexcept;
  int32_t eos_id() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mxdit

// The parts of a sentencepiece model file (a protocol buffer, sentencepiece_model.proto) that the
// tokenizer needs.
//
// Read here instead of by libsentencepiece because Hugging Face's tokenizer, which decides what a
// checkpoint's ids mean, takes the same parts and segments in its own way: it matches byte pieces
// as text, leaves out byte fallback, and normalizes by grapheme (unigram.h, charsmap.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mxdit::text {

struct SentencePieceModel {
  struct Piece {
    std::string text;  // UTF-8, U+2581 for a space
    float score = 0;   // log probability
    bool is_byte = false;
  };
  std::vector<Piece> pieces;  // by id
  int32_t unknown_id = 0;
  std::string charsmap;  // "precompiled_charsmap" of the normalizer; empty: none
};

// Error{bad_input} for bytes that are not such a model, Error{unsupported} for a model other than
// Unigram; both name `file`.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& file);

}  // namespace mxdit::text

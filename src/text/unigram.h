// Unigram segmentation: the most probable way to write a word as pieces (Kudo 2018,
// arXiv:1804.10959), with the scores and the ties of Hugging Face's tokenizers.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/sentencepiece_model.h"

namespace mxdit::text {

class Unigram {
 public:
  // `model` has to outlive this object. With `byte_fallback`, unknown characters are spelled as the
  // model's byte pieces, if it has all of them.
  Unigram(const SentencePieceModel& model, bool byte_fallback);

  // Appends the ids of `word` (UTF-8). A run of unknown characters gives one unknown id.
  void encode(std::string_view word, std::vector<int32_t>* ids) const;

  // The id of a piece, -1 if there is none.
  int32_t find(std::string_view piece) const;

 private:
  // The best way to reach a place: the piece that ends there and where it starts.
  struct Node {
    double score = 0;
    int64_t start = -1;  // -1: not reached
    int32_t id = 0;
  };
  std::vector<Node> best_paths(std::string_view word) const;
  void append_unknown(std::string_view run, std::vector<int32_t>* ids) const;

  const SentencePieceModel& model_;
  std::unordered_map<std::string_view, int32_t> ids_;
  size_t longest_ = 0;  // bytes of the longest piece
  double unknown_score_ = 0;
  std::array<int32_t, 256> bytes_{};
  bool byte_fallback_ = false;
};

}  // namespace mxdit::text

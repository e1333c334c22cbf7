#include "text/unigram.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.h"
#include "text/unicode.h"

namespace mxdit::text {
namespace {

// How much less probable than the least probable piece an unknown character is.
constexpr double kUnknownPenalty = 10.0;

std::string byte_piece(unsigned byte) {
  constexpr char kHex[] = "0123456789ABCDEF";
  return std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + '>';
}

}  // namespace

Unigram::Unigram(const SentencePieceModel& model, bool byte_fallback) : model_(model) {
  double lowest = std::numeric_limits<double>::infinity();
  ids_.reserve(model.pieces.size());
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    ids_.emplace(piece.text, static_cast<int32_t>(id));
    longest_ = std::max(longest_, piece.text.size());
    lowest = std::min(lowest, double{piece.score});
  }
  unknown_score_ = lowest - kUnknownPenalty;
  byte_fallback_ = byte_fallback;
  for (unsigned byte = 0; byte < bytes_.size(); ++byte) {
    bytes_[byte] = find(byte_piece(byte));
    if (bytes_[byte] < 0) byte_fallback_ = false;
  }
}

int32_t Unigram::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? -1 : found->second;
}

std::vector<Unigram::Node> Unigram::best_paths(std::string_view word) const {
  std::vector<Node> nodes(word.size() + 1);
  const auto offer = [&](size_t start, size_t end, int32_t id, double score) {
    Node& node = nodes[end];
    score += nodes[start].score;
    // Of equal ways the one found first, whose last piece is the longest, stays.
    if (node.start >= 0 && score <= node.score) return;
    node = {score, static_cast<int64_t>(start), id};
  };
  char32_t unused = 0;
  for (size_t at = 0; at < word.size();) {
    const size_t character = decode_one(word, at, &unused);
    MXDIT_CHECK(character > 0, "[text] word: expected UTF-8");
    bool known = false;
    const size_t longest = std::min(longest_, word.size() - at);
    for (size_t length = character; length <= longest; ++length) {
      const int32_t id = find(word.substr(at, length));
      if (id < 0) continue;
      offer(at, at + length, id, model_.pieces[static_cast<size_t>(id)].score);
      known = known || length == character;
    }
    if (!known) offer(at, at + character, model_.unknown_id, unknown_score_);
    at += character;
  }
  return nodes;
}

void Unigram::encode(std::string_view word, std::vector<int32_t>* ids) const {
  const std::vector<Node> nodes = best_paths(word);
  std::vector<size_t> ends;  // from the back
  for (size_t end = word.size(); end > 0; end = static_cast<size_t>(nodes[end].start)) {
    ends.push_back(end);
  }
  size_t unknown_begin = 0, begin = 0;
  bool in_unknown = false;
  for (auto end = ends.rbegin(); end != ends.rend(); begin = *end++) {
    const int32_t id = nodes[*end].id;
    if (id == model_.unknown_id) {
      if (!in_unknown) unknown_begin = begin;
      in_unknown = true;
      continue;
    }
    if (in_unknown) append_unknown(word.substr(unknown_begin, begin - unknown_begin), ids);
    in_unknown = false;
    ids->push_back(id);
  }
  if (in_unknown) append_unknown(word.substr(unknown_begin), ids);
}

void Unigram::append_unknown(std::string_view run, std::vector<int32_t>* ids) const {
  if (!byte_fallback_) {
    ids->push_back(model_.unknown_id);
    return;
  }
  for (const char c : run) ids->push_back(bytes_[static_cast<unsigned char>(c)]);
}

}  // namespace mxdit::text

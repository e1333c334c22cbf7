#include "text/tokenizer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "core/error.h"
#include "io/json_file.h"
#include "io/mapped_file.h"
#include "text/charsmap.h"
#include "text/sentencepiece_model.h"
#include "text/special_tokens.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSpace = "\u2581";

std::string read_model_file(const fs::path& folder) {
  const fs::path path = folder / "spiece.model";
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (fs::exists(folder / "tokenizer.json", error)) {
      fail(ErrorKind::unsupported, "[text] ", path.string(),
           ": expected a sentencepiece model, got only ", (folder / "tokenizer.json").string());
    }
    fail(ErrorKind::not_found, "[text] ", path.string(), ": expected a sentencepiece model, got no",
         " such file");
  }
  const auto content = map_file(path);
  return std::string(static_cast<const char*>(content->data()), content->bytes());
}

Json read_optional(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) ? read_json_file(path) : Json();
}

// transformers' T5Tokenizer never falls back to bytes; another class does what its tokenizer.json
// says.
bool uses_byte_fallback(const fs::path& folder, const Json& config, const std::string& file) {
  if (!config.is_object()) return false;
  const auto name = optional_or(config, "tokenizer_class", std::string("T5Tokenizer"), file);
  if (name == "T5Tokenizer" || name == "T5TokenizerFast") return false;
  const fs::path path = folder / "tokenizer.json";
  const Json json = read_optional(path);
  if (!json.is_object() || !json.contains("model")) return false;
  return optional_or(json.at("model"), "byte_fallback", false, path.string());
}

}  // namespace

struct Tokenizer::Impl {
  Impl(const fs::path& folder, const Json& config, const Json& map, const std::string& file)
      : model(text::parse_sentencepiece_model(read_model_file(folder),
                                              (folder / "spiece.model").string())),
        charsmap(model.charsmap, (folder / "spiece.model").string()),
        unigram(model, uses_byte_fallback(folder, config, file)),
        special(text::read_special_tokens(config, map, file, unigram,
                                          static_cast<int64_t>(model.pieces.size()))) {}

  std::vector<int32_t> encode(std::string_view clean_text) const;
  void encode_plain(std::string_view plain, std::vector<int32_t>* ids) const;
  void encode_word(const std::string& word, std::vector<int32_t>* ids) const;

  text::SentencePieceModel model;
  text::Charsmap charsmap;
  text::Unigram unigram;  // refers to `model`
  text::SpecialTokens special;
};

// Special tokens are looked for in the text as it is; what lies between them is normalized.
std::vector<int32_t> Tokenizer::Impl::encode(std::string_view clean_text) const {
  std::vector<int32_t> ids;
  size_t begin = 0;
  for (size_t at = 0; at < clean_text.size();) {
    const std::string_view token = special.match(clean_text, at);
    if (token.empty()) {
      ++at;
      continue;
    }
    encode_plain(clean_text.substr(begin, at - begin), &ids);
    ids.push_back(special.ids.find(token)->second);
    begin = at += token.size();
  }
  encode_plain(clean_text.substr(begin), &ids);
  return ids;
}

void Tokenizer::Impl::encode_plain(std::string_view plain, std::vector<int32_t>* ids) const {
  const std::string normal = charsmap.normalize(plain);
  std::string word;
  for (size_t at = 0; at < normal.size();) {
    char32_t c = 0;
    const size_t length = text::decode_one(normal, at, &c);
    MXDIT_CHECK(length > 0, "[text] text to encode: expected UTF-8 at offset ", at);
    if (u_isUWhiteSpace(static_cast<UChar32>(c))) {
      encode_word(word, ids);
      word.clear();
    } else {
      word.append(normal, at, length);
    }
    at += length;
  }
  encode_word(word, ids);
}

// Pieces do not reach over a space sign, and every word begins with one.
void Tokenizer::Impl::encode_word(const std::string& word, std::vector<int32_t>* ids) const {
  if (word.empty()) return;
  std::string marked = word.starts_with(kSpace) ? word : std::string(kSpace) + word;
  for (size_t begin = 0; begin < marked.size();) {
    const size_t end = std::min(marked.find(kSpace, begin + kSpace.size()), marked.size());
    unigram.encode(std::string_view(marked).substr(begin, end - begin), ids);
    begin = end;
  }
}

Tokenizer::Tokenizer(const fs::path& folder) {
  const fs::path file = folder / "tokenizer_config.json";
  const Json config = read_optional(file);
  const Json map = read_optional(folder / "special_tokens_map.json");
  impl_ = std::make_unique<Impl>(folder, config, map, file.string());
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

TokenIds Tokenizer::encode(std::string_view clean_text, int64_t max_length) const {
  MXDIT_CHECK(max_length >= 1, "[text] token limit: expected at least 1, got ", max_length);
  MXDIT_CHECK(text::decode_utf8(clean_text).has_value(), "[text] text to encode: expected UTF-8");
  std::vector<int32_t> ids = impl_->encode(clean_text);
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_length - 1)));
  ids.push_back(eos_id());
  TokenIds out;
  out.length = static_cast<int64_t>(ids.size());
  out.ids = Tensor::host(DType::i32, {1, max_length});
  int32_t* row = out.ids.as_mutable<int32_t>();
  std::copy(ids.begin(), ids.end(), row);
  std::fill(row + out.length, row + max_length, pad_id());
  return out;
}

int64_t Tokenizer::vocabulary_size() const noexcept {
  return impl_->special.vocabulary_size;
}
int32_t Tokenizer::pad_id() const noexcept {
  return impl_->special.pad;
}
int32_t Tokenizer::eos_id() const noexcept {
  return impl_->special.eos;
}

}  // namespace mxdit

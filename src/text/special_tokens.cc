#include "text/special_tokens.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/error.h"

namespace mxdit::text {
namespace {

constexpr int64_t kMaxExtraIds = 100'000;

class Reader {
 public:
  Reader(const Json& config, const Json& map, const std::string& file, const Unigram& unigram,
         int64_t pieces)
      : config_(config), map_(map), file_(file), unigram_(unigram) {
    tokens_.vocabulary_size = pieces;
  }

  SpecialTokens read() {
    add_decoder();
    tokens_.eos = add(named("eos_token", "</s>"));
    add(named("unk_token", "<unk>"));
    tokens_.pad = add(named("pad_token", "<pad>"));
    for (const char* key : {"bos_token", "sep_token", "cls_token", "mask_token"}) {
      if (const std::string token = named(key, ""); !token.empty()) add(token);
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) add_list(key);
    add_extra_ids();
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void wrong(const std::string& key, const Json& value) const {
    fail(ErrorKind::bad_input, "[text] ", file_, ": expected a token in ", key, ", got ",
         describe(value));
  }

  // A token is a string, or an object with its text and flags.
  std::string token_text(const std::string& key, const Json& value) const {
    const Json* text = &value;
    if (value.is_object()) {
      if (optional_or(value, "single_word", false, file_)) {
        fail(ErrorKind::unsupported, "[text] ", file_, ": expected single_word of ", key,
             " to be false, got true");
      }
      const auto content = value.find("content");
      if (content == value.end()) wrong(key, value);
      text = &*content;
    }
    if (!text->is_string() || text->get_ref<const std::string&>().empty()) wrong(key, value);
    return text->get<std::string>();
  }

  std::string named(const char* key, const char* fallback) const {
    for (const Json* source : {&config_, &map_}) {
      if (!source->is_object()) continue;
      const auto found = source->find(key);
      if (found != source->end() && !found->is_null()) return token_text(key, *found);
    }
    return fallback;
  }

  int32_t add(const std::string& token) {
    if (const auto found = tokens_.ids.find(token); found != tokens_.ids.end()) {
      return found->second;
    }
    int32_t id = unigram_.find(token);
    if (id < 0) id = static_cast<int32_t>(tokens_.vocabulary_size++);
    tokens_.ids.emplace(token, id);
    return id;
  }

  void add_decoder() {
    const auto decoder = config_.is_object() ? config_.find("added_tokens_decoder") : config_.end();
    if (decoder == config_.end() || decoder->is_null()) return;
    if (!decoder->is_object()) wrong("added_tokens_decoder", *decoder);
    for (const auto& [key, value] : decoder->items()) {
      int32_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      const bool whole = error == std::errc() && end == key.data() + key.size();
      if (!whole || id < 0 || id > std::numeric_limits<int32_t>::max() / 2) {
        fail(ErrorKind::bad_input, "[text] ", file_,
             ": expected ids as keys of added_tokens_decoder, got \"", key, "\"");
      }
      tokens_.ids.insert_or_assign(token_text("added_tokens_decoder", value), id);
      tokens_.vocabulary_size = std::max(tokens_.vocabulary_size, int64_t{id} + 1);
    }
  }

  void add_list(const char* key) {
    const auto list = config_.is_object() ? config_.find(key) : config_.end();
    if (list == config_.end() || list->is_null()) return;
    if (list->is_object()) {  // name -> token
      for (const auto& [name, value] : list->items()) add(token_text(key, value));
      return;
    }
    if (!list->is_array()) wrong(key, *list);
    for (const Json& value : *list) add(token_text(key, value));
  }

  // Only where the file asks for them: without a word on it transformers would add a hundred, whose
  // ids may lie outside of the embedding.
  void add_extra_ids() {
    if (!config_.is_object()) return;
    const int64_t count = optional_or(config_, "extra_ids", int64_t{0}, file_);
    if (count < 0 || count > kMaxExtraIds) {
      fail(ErrorKind::bad_input, "[text] ", file_, ": expected extra_ids from 0 to ", kMaxExtraIds,
           ", got ", count);
    }
    for (int64_t i = 0; i < count; ++i) add("<extra_id_" + std::to_string(i) + ">");
  }

  const Json& config_;
  const Json& map_;
  const std::string& file_;
  const Unigram& unigram_;
  SpecialTokens tokens_;
};

}  // namespace

std::string_view SpecialTokens::match(std::string_view text, size_t at) const {
  std::string_view best;
  for (const auto& [token, id] : ids) {
    if (token.size() > best.size() && text.substr(at).starts_with(token)) best = token;
  }
  return best;
}

SpecialTokens read_special_tokens(const Json& config, const Json& map, const std::string& file,
                                  const Unigram& unigram, int64_t pieces) {
  return Reader(config, map, file, unigram, pieces).read();
}

}  // namespace mxdit::text

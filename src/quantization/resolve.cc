#include "quantization/resolve.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "quantization/configs/plain/config.h"
#include "quantization/declaration.h"
#include "quantization/methods/modelslim/description.h"
#include "quantization/quantized_tensors.h"
#include "quantization/registry.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelslim = "modelslim";

bool is_modelopt(const std::string& method) { return method.starts_with("modelopt"); }

// modelopt and its keys by number format are one method; which of them, the algorithm decides.
bool same_method(const std::string& a, const std::string& b) {
  return a == b || (is_modelopt(a) && is_modelopt(b));
}

class Resolver {
 public:
  Resolver(const QuantizationRequest& request, const QuantizationSubject& subject)
      : request_(request), subject_(subject) {}

  ResolvedQuantization resolve() {
    if (!request_.key.empty()) find_quantization_key(request_.key, "--quantization");
    consider("--quantization", request_.key.empty() ? "not given" : request_.key);
    collect();
    check_agreement();
    if (!request_.key.empty())
      resolve_key();
    else if (!found_.empty())
      resolve_declared();
    else
      resolve_undeclared();
    return std::move(result_);
  }

 private:
  void consider(const std::string& what, const std::string& outcome) {
    result_.considered.push_back(what + ": " + outcome);
  }

  // One place where a declaration may be; `what` names it.
  void look_at(const std::string& what, const std::optional<Declaration>& declaration) {
    consider(what, declaration ? declaration->method : "nothing");
    if (declaration) found_.push_back(*declaration);
  }

  // All declarations there are, the decisive one first.
  void collect() {
    look_at_folder(subject_.folder);
    if (subject_.config != nullptr)
      look_at(subject_.config_file + " quantization_config",
              config_declaration(*subject_.config, subject_.config_file));
    std::error_code ignored;
    if (!subject_.weights_path.empty() && fs::is_directory(subject_.weights_path, ignored)) {
      look_at_folder(subject_.weights_path);
      const fs::path config = subject_.weights_path / "config.json";
      if (fs::exists(config, ignored))
        look_at(config.string() + " quantization_config",
                config_declaration(read_json_file(config), config.string()));
    }
    if (subject_.weights != nullptr)
      look_at(subject_.weights->path().string() + " metadata",
              metadata_declaration(subject_.weights->metadata(), subject_.weights->names(),
                                   subject_.weights->path().string()));
  }

  void look_at_folder(const fs::path& folder) {
    if (!folder.empty())
      look_at((folder / "quant_model_description*.json").string(), folder_description(folder));
  }

  void check_agreement() const {
    for (size_t i = 1; i < found_.size(); ++i) {
      if (!same_method(found_[0].method, found_[i].method))
        fail(ErrorKind::bad_input, "[quantization] ", subject_.component, ": ", found_[i].where,
             ": expected ", found_[0].method, " as ", found_[0].where, " says, got ",
             found_[i].method);
      if (found_[0].method == kModelslim) check_types(found_[0], found_[i]);
    }
  }

  // Two descriptions have to say the same; a quantization_config may also have no types.
  void check_types(const Declaration& first, const Declaration& other) const {
    const auto expected = modelslim::parse_description(first.content, first.where).types;
    const auto got = modelslim::parse_description(other.content, other.where).types;
    if (got.empty() || got == expected) return;
    const auto [a, b] = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end());
    const bool extra = a == expected.end() || (b != got.end() && b->first < a->first);
    const bool lacking = !extra && (b == got.end() || a->first < b->first);
    fail(ErrorKind::bad_input, "[quantization] ", subject_.component, ": ", other.where,
         ": entry \"", extra ? b->first : a->first, "\": expected ", extra ? "none" : a->second,
         " as ", first.where, " says, got ", lacking ? "none" : b->second);
  }

  void resolve_key() {
    const std::string flag = "--quantization " + request_.key;
    const QuantizationKey& key = find_quantization_key(request_.key, "--quantization");
    if (found_.empty()) {
      if (request_.key == kModelslim) refuse_missing_description(flag);
      if (key.online) refuse_quantized_tensors(flag);
      make(key, nullptr, flag);
      return;
    }
    const Declaration& declared = found_.front();
    if (!same_method(request_.key, declared.method))
      fail(ErrorKind::bad_input, "[quantization] ", subject_.component, ": ", flag, ": expected ",
           key.online ? "a checkpoint that is not quantized" : "a checkpoint that declares " + request_.key,
           ", got ", declared.method, " as ", declared.where, " says");
    make(key, &declared, flag + ", " + declared.where);
  }

  [[noreturn]] void refuse_missing_description(const std::string& flag) const {
    std::string places = subject_.folder.string();
    if (!subject_.weights_path.empty()) places += " or " + subject_.weights_path.string();
    fail(ErrorKind::not_found, "[quantization] ", subject_.component, ": ", flag,
         ": expected quant_model_description.json in ", places, ", got no such file");
  }

  void refuse_quantized_tensors(const std::string& flag) {
    const auto tensor = find_tensor(false);
    if (tensor)
      fail(ErrorKind::bad_input, "[quantization] ", subject_.component, ": ", flag,
           ": expected plain weights to quantize, got ", text_of(*tensor),
           ", which are quantized already");
  }

  void resolve_declared() {
    const Declaration& declared = found_.front();
    const QuantizationKey& key =
        find_quantization_key(declared.method, declared.where + " quant_method");
    make(key, &declared, declared.where);
    // A description is compared with every weight when its config is made.
    if (declared.method != kModelslim && subject_.weights != nullptr && !find_tensor(true))
      fail(ErrorKind::bad_input, "[quantization] ", subject_.component, ": ",
           subject_.weights->path().string(), ": expected tensors quantized with ",
           declared.method, " as ", declared.where, " says, got only plain ones");
  }

  void resolve_undeclared() {
    const auto tensor = find_tensor(false);
    if (tensor)
      fail(ErrorKind::bad_input, "[quantization] ", subject_.component, ": quantized tensors (",
           text_of(*tensor), "): expected a declaration of their type in ",
           "quant_model_description.json or config.json's quantization_config, got none");
    if (!request_.ignored_layers.empty())
      fail(ErrorKind::usage, "[quantization] --quantization-ignored-layers: expected it with ",
           "--quantization, got a checkpoint that is not quantized");
    consider("tensors", "none is quantized");
    result_.config = plain_config();
    result_.source = "nothing declares any";
  }

  std::optional<std::string> find_tensor(bool or_fp8) const {
    if (subject_.weights == nullptr) return std::nullopt;
    return find_quantized_tensor(*subject_.weights, or_fp8);
  }

  std::string text_of(const std::string& tensor) const {
    const TensorPlace place = subject_.weights->place_of(tensor);
    return detail::concat(place.file.string(), " tensor ", tensor, " in ", name(place.dtype));
  }

  void make(const QuantizationKey& key, const Declaration* declared, std::string source) {
    ConfigArguments arguments;
    if (declared != nullptr) {
      arguments.declaration = &declared->content;
      arguments.declared_in = declared->where;
    }
    arguments.weights = subject_.weights;
    arguments.ignored_layers = request_.ignored_layers;
    arguments.cache_folder = request_.cache_folder;
    arguments.clock = subject_.clock;
    result_.config = key.make(arguments);
    result_.source = std::move(source);
  }

  const QuantizationRequest& request_;
  const QuantizationSubject& subject_;
  std::vector<Declaration> found_;
  ResolvedQuantization result_;
};

}  // namespace

ResolvedQuantization resolve_quantization(const QuantizationRequest& request,
                                          const QuantizationSubject& subject) {
  return Resolver(request, subject).resolve();
}

}  // namespace mxdit

#include "conversion/repack/tensor_checks.h"

#include <set>

#include "conversion/repack/layer_tensors.h"
#include "core/error.h"

namespace mxdit::conversion {

namespace {

using Forms = std::vector<StoredForm>;

class Checker {
 public:
  Checker(const NamedCheckpoint& checkpoint, const std::vector<wan_dit::ModelTensor>& needed)
      : checkpoint_(checkpoint), needed_(needed) {}

  std::vector<std::string> run() {
    for (const wan_dit::ModelTensor& tensor : needed_)
      if (tensor.linear) check_layer(tensor);
    for (const wan_dit::ModelTensor& tensor : needed_)
      if (!tensor.linear) check_plain(tensor);
    for (const auto& [name, tensor] : checkpoint_.tensors)
      if (known_.count(name) == 0) check_other(name, tensor);
    warn_about_types();
    warn_about_undeclared();
    return std::move(warnings_);
  }

 private:
  bool has(const std::string& name) const { return checkpoint_.tensors.count(name) != 0; }
  std::string type_of(const std::string& name) const {
    const auto place = checkpoint_.types.find(name);
    return place == checkpoint_.types.end() ? "" : place->second;
  }

  // How the files would call a tensor that they lack.
  std::string name_in_file(const std::string& name) const {
    if (checkpoint_.direction == Direction::to_original) return name;
    return to_original_name(name, has(layer_of(name) + ".mul_scale"));
  }

  void check_form(const std::string& name, const Forms& forms, const std::string& type) {
    known_.insert(name);
    const std::string purpose = is_plain_type(type) ? "" : " for type " + type;
    const auto place = checkpoint_.tensors.find(name);
    if (place == checkpoint_.tensors.end())
      fail(ErrorKind::not_found, "[conversion] ", checkpoint_.folder, ": tensor \"",
           name_in_file(name), "\": expected ", describe(forms), purpose, ", got none");
    const HeldTensor& held = place->second;
    if (!matches(forms, held.dtype, held.shape))
      fail(ErrorKind::bad_input, "[conversion] ", held.file, ": tensor \"", held.name,
           "\": expected ", describe(forms), purpose, ", got ", mxdit::name(held.dtype), " ",
           held.shape);
  }

  void check_layer(const wan_dit::ModelTensor& weight) {
    const std::string layer = layer_of(weight.name), type = type_of(weight.name);
    layers_.emplace(layer, type);
    const auto tensors = layer_tensors(type, weight.shape[0], weight.shape[1]);
    if (!tensors) {
      unknown_types_.insert(type);
      if (!has(weight.name)) check_form(weight.name, {plain_form(weight.shape)}, type);
      known_.insert(weight.name);
      return;
    }
    for (const LayerTensor& tensor : *tensors) {
      const std::string name = layer + "." + tensor.name;
      if (tensor.required || has(name)) check_form(name, tensor.forms, type);
    }
  }

  void check_plain(const wan_dit::ModelTensor& tensor) {
    // A static integer layer has its bias in quant_bias, and may lack the plain one.
    const bool replaced = last_segment(tensor.name) == "bias" && !has(tensor.name) &&
                          type_of(layer_of(tensor.name) + ".weight") == "W8A8" &&
                          has(layer_of(tensor.name) + ".quant_bias");
    if (replaced) return;
    check_form(tensor.name, {plain_form(tensor.shape)}, "");
    const bool of_layer = layers_.count(layer_of(tensor.name)) != 0;
    if (const std::string type = type_of(tensor.name); !of_layer && !is_plain_type(type))
      fail(ErrorKind::bad_input, "[conversion] ", checkpoint_.description_file, ": entry \"",
           checkpoint_.tensors.at(tensor.name).name,
           "\": expected FLOAT, since the model has no linear layer there, got ", type);
  }

  // A tensor that no model needs by itself.
  void check_other(const std::string& name, const HeldTensor& tensor) {
    if (wan_dit::is_ignorable_tensor(name) || is_rotation(name)) return;
    const auto layer = layers_.find(layer_of(name));
    if (layer == layers_.end()) fail_unknown(tensor);
    const std::string& type = layer->second;
    if (is_plain_type(type) && is_quantization_tensor(last_segment(name)))
      fail(ErrorKind::bad_input, "[conversion] ", tensor.file, ": tensor \"", tensor.name,
           "\": expected its layer to have a quantized type in ", checkpoint_.description_file,
           ", got ", type.empty() ? "no entry" : type, " for \"", weight_name(layer->first), "\"");
    if (is_plain_type(type) || type_of(name).empty()) fail_unknown(tensor);
    warnings_.push_back("tensor \"" + tensor.name + "\" is none that type " + type +
                        " is known to have; it is kept");
  }

  std::string weight_name(const std::string& layer) const {
    const auto place = checkpoint_.tensors.find(layer + ".weight");
    return place == checkpoint_.tensors.end() ? name_in_file(layer + ".weight")
                                              : place->second.name;
  }

  // Rotations of queries and keys, for quantized attention.
  bool is_rotation(const std::string& name) const {
    const std::string_view last = last_segment(name);
    return (last == "q_rot" || last == "k_rot") && layers_.count(layer_of(name) + ".to_q") != 0;
  }

  [[noreturn]] void fail_unknown(const HeldTensor& tensor) const {
    fail(ErrorKind::bad_input, "[conversion] ", tensor.file, ": tensor \"", tensor.name,
         "\": expected a tensor of the model or of a quantized layer, got ",
         mxdit::name(tensor.dtype), " ", tensor.shape, ", which nothing reads");
  }

  void warn_about_types() {
    for (const std::string& type : unknown_types_)
      warnings_.push_back("type " + type + " is not known here: its tensors are kept unchecked");
  }

  void warn_about_undeclared() {
    size_t count = 0;
    std::string first;
    for (const auto& [name, tensor] : checkpoint_.tensors) {
      const bool declared = checkpoint_.types.count(name) != 0 ||
                            checkpoint_.types.count(layer_of(name) + ".weight") != 0;
      if (declared || is_rotation(name)) continue;
      if (count++ == 0) first = tensor.name;
    }
    if (count > 0)
      warnings_.push_back(std::to_string(count) + " tensors without an entry in " +
                          checkpoint_.description_file + " are taken as FLOAT, the first is \"" +
                          first + "\"");
  }

  const NamedCheckpoint& checkpoint_;
  const std::vector<wan_dit::ModelTensor>& needed_;
  std::map<std::string, std::string> layers_;  // linear layers with their type
  std::set<std::string> known_, unknown_types_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::vector<std::string> check_tensors(const NamedCheckpoint& checkpoint,
                                       const std::vector<wan_dit::ModelTensor>& needed) {
  return Checker(checkpoint, needed).run();
}

}  // namespace mxdit::conversion

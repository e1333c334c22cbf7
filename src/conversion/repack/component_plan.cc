#include "conversion/repack/component_plan.h"

#include <algorithm>

#include "conversion/repack/layer_tensors.h"
#include "conversion/repack/tensor_checks.h"
#include "core/error.h"

namespace mxdit::conversion {

namespace {

using Names = std::map<std::string, std::string>;

void check_entries(const WeightStore& weights, const Description& description) {
  for (const auto& [name, type] : description.entries())
    if (!weights.contains(name))
      fail(ErrorKind::bad_input, "[conversion] ", description.file(), ": entry \"", name,
           "\": expected a tensor of that name in ", weights.path().string(), ", got none");
}

NamedCheckpoint under_diffusers_names(const WeightStore& weights, const Description& description,
                                      const Names& renamed, Direction direction) {
  const auto diffusers = [&](const std::string& name) -> const std::string& {
    return direction == Direction::to_diffusers ? renamed.at(name) : name;
  };
  NamedCheckpoint named{weights.path().string(), description.file(), direction, {}, {}};
  for (const std::string& name : weights.names()) {
    const TensorPlace place = weights.place_of(name);
    named.tensors[diffusers(name)] = {name, place.file.string(), place.dtype, place.shape};
  }
  for (const auto& [name, type] : description.entries()) named.types[diffusers(name)] = type;
  return named;
}

// Names that --reverse would not give back: a wrapper without a scale, or a scale without wrapper.
void warn_about_names(const Names& renamed, const std::string& where,
                      std::vector<std::string>& warnings) {
  std::vector<std::string> targets;
  for (const auto& [source, target] : renamed) targets.push_back(target);
  const Names back = rename_all(targets, Direction::to_original, where);
  size_t count = 0;
  std::string first;
  for (const auto& [source, target] : renamed)
    if (back.at(target) != source && count++ == 0)
      first = "\"" + source + "\" becomes \"" + back.at(target) + "\"";
  if (count > 0)
    warnings.push_back("--reverse would not give " + std::to_string(count) +
                       " names back as they are: " + first);
}

bool is_container(const NamedCheckpoint& named, const std::string& name) {
  const auto type = named.types.find(name);
  return type != named.types.end() && is_mxfp4_type(type->second) &&
         last_segment(name) == "weight" && named.tensors.at(name).dtype == DType::f8_e4m3;
}

Shape packed_shape(const TensorPlan& tensor) {
  const Shape& shape = tensor.place.shape;  // [out, in] by check_tensors
  if (shape[1] % 2 != 0)
    fail(ErrorKind::bad_input, "[conversion] ", tensor.place.file.string(), ": tensor \"",
         tensor.source, "\": expected an even width for packing, got ", shape);
  return {shape[0], shape[1] / 2};
}

}  // namespace

ComponentPlan plan_component(const WeightStore& weights, const Description& description,
                             const wan_dit::Config& config, Direction direction, bool pack) {
  const std::string where = weights.path().string();
  const Names renamed = rename_all(weights.names(), direction, where);
  check_entries(weights, description);
  const NamedCheckpoint named = under_diffusers_names(weights, description, renamed, direction);
  ComponentPlan plan;
  plan.warnings = check_tensors(named, wan_dit::tensors_of(config));
  if (direction == Direction::to_diffusers) warn_about_names(renamed, where, plan.warnings);
  for (const auto& [name, held] : named.tensors) {
    TensorPlan tensor{renamed.at(held.name),
                      held.name,
                      weights.place_of(held.name),
                      held.dtype,
                      held.shape,
                      pack && is_container(named, name)};
    if (tensor.pack) {
      tensor.dtype = DType::u8;
      tensor.shape = packed_shape(tensor);
      ++plan.packed;
    }
    if (tensor.target != tensor.source) ++plan.renamed;
    plan.tensors.push_back(std::move(tensor));
  }
  std::sort(plan.tensors.begin(), plan.tensors.end(),
            [](const TensorPlan& a, const TensorPlan& b) { return a.target < b.target; });
  if (pack && plan.packed == 0) plan.warnings.emplace_back("there is nothing to pack");
  plan.description = description.renamed_text(renamed);
  plan.metadata = weights.metadata();
  return plan;
}

}  // namespace mxdit::conversion

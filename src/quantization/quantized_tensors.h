// Telling by name and type which tensors only a quantized checkpoint has.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "checkpoint/weight_store.h"

namespace mxdit {

// Last parts of the names of scales, offsets and packed weights: "weight_scale", "qweight".
std::span<const std::string_view> quantized_parts();

// Scales, offsets and packed weights by the last part of their name ("weight_scale", "qweight"), and
// weights in integers. An fp8 weight alone is none: it may be a plain weight that was cast.
bool is_quantized_tensor(const std::string& name, DType dtype);

// The first such tensor. With `or_fp8`, fp8 weights count too.
std::optional<std::string> find_quantized_tensor(const WeightStore& weights, bool or_fp8 = false);

// Refuses quantized tensors among those that a network did not read: without them it would compute
// with scales that are missing. Error{bad_input} naming file and tensor.
void refuse_unread_quantized(const WeightStore& weights, std::span<const std::string> unread);

}  // namespace mxdit

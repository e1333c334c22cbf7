// Weights that replace those of a component (--transformer-weights-path): one file, or a folder as
// people publish them, with several variants side by side.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/weight_store.h"

namespace mxdit {

// A .safetensors file; or a folder: the shards of its index, or all its *.safetensors as
// chosen_weight_files() picks them. Errors: not_found for no such path and for a folder without
// weights, unsupported for another kind of file, and those of WeightStore::open.
WeightStore open_replacement_weights(const std::filesystem::path& path);

// Of the names of a folder's weights those that belong together, sorted: only `*-mixed*` if there
// are such and others, and no `NAME.fp16.safetensors` (.bf16, .fp32) beside `NAME.safetensors`.
std::vector<std::string> chosen_weight_files(std::vector<std::string> names);

}  // namespace mxdit

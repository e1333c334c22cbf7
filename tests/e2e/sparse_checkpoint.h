// Checkpoints of real size that take no disk: headers over files that are all hole.
#pragma once

#include <filesystem>

#include "random_models/wan_shapes.h"

namespace mxdit {

// Writes a diffusers folder in this shape; every tensor is bf16 and reads as zeros. False when the
// file system does not take files with holes of that size.
bool write_sparse_checkpoint(const std::filesystem::path& folder, const random_models::WanShape& shape);

}  // namespace mxdit

// The files of a diffusers folder that conversions copy as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "mxdit/engine.h"

namespace mxdit::conversion {

struct ModelFile {
  std::filesystem::path path;
  std::string name;  // relative to the model's folder
  uint64_t bytes = 0;
};

// All files below `model`, sorted, links followed; of the top-level folders `transformers` only
// config.json. Hidden files and folders, and what is below `without` (a folder that need not be
// there), are left out. Errors: io; bad_input for links that lead back into themselves.
std::vector<ModelFile> list_model_files(const std::filesystem::path& model,
                                        const std::set<std::string>& transformers,
                                        const std::filesystem::path& without);

// Copies them below `target` as the stage "copy". Files that are there already, complete and of the
// same time, are not written again. Errors: io, cancelled.
void copy_model_files(const std::vector<ModelFile>& files, const std::filesystem::path& target,
                      const ProgressSink& progress, const CancelToken* cancel);

// With the folders above it. Error{io} naming it.
void make_folder(const std::filesystem::path& folder);

}  // namespace mxdit::conversion

// What a working folder was made from: a note inside it that lets a later run go on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "core/cancel.h"

namespace mxdit::conversion {

// A SHA-256 over `settings`, the names, sizes and times of all files, the whole of `small_files`,
// and of every tensor its place and its first and last 64 KiB: 28 GB take a second. A change in
// the middle of a large tensor shows by the file's time. Nothing is mapped or held.
std::string digest_of_inputs(const std::string& settings,
                             const std::vector<const WeightStore*>& weights,
                             const std::vector<std::filesystem::path>& small_files,
                             const CancelToken* cancel);

// Whether the folder's note says `digest`.
bool was_made_from(const std::filesystem::path& folder, const std::string& digest);
void note_inputs(const std::filesystem::path& folder, const std::string& digest);
void remove_note(const std::filesystem::path& folder);
// Files that a killed process was writing (io/atomic_file.h), also in subfolders.
void remove_unfinished_files(const std::filesystem::path& folder);

}  // namespace mxdit::conversion

// What a working folder was made from: a note inside it that lets a later run go on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mxdit::conversion {

// A SHA-256 over `settings` and, of every file, name, size, modification time and content (of
// large files samples, as checkpoint/fingerprint.h does).
std::string digest_of_inputs(const std::string& settings,
                             const std::vector<std::filesystem::path>& files);

// Whether the folder's note says `digest`.
bool was_made_from(const std::filesystem::path& folder, const std::string& digest);
void note_inputs(const std::filesystem::path& folder, const std::string& digest);
void remove_note(const std::filesystem::path& folder);
// Files that a killed process was writing (io/atomic_file.h), also in subfolders.
void remove_unfinished_files(const std::filesystem::path& folder);

}  // namespace mxdit::conversion

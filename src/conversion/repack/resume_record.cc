#include "conversion/repack/resume_record.h"

#include <fstream>

#include "checkpoint/fingerprint.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/sha256.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

namespace {

constexpr const char* kNote = ".made-from";

void remove_or_fail(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error)
    fail(ErrorKind::io, "[conversion] ", file.string(), ": removing failed: ", error.message());
}

}  // namespace

std::string digest_of_inputs(const std::string& settings, const std::vector<fs::path>& files) {
  Fingerprint content;
  Sha256 hash;
  hash.update(settings);
  for (const fs::path& file : files) {
    content.add_file(file.string(), file);
    // Samples miss a change in the middle of a large tensor; its time shows it.
    std::error_code ignored;
    const auto time = fs::last_write_time(file, ignored).time_since_epoch().count();
    hash.update(detail::concat("\n", file.string(), " ", time));
  }
  hash.update(content.hex_digest());
  return hash.hex_digest();
}

bool was_made_from(const fs::path& folder, const std::string& digest) {
  std::string noted;
  std::ifstream file(folder / kNote);
  return std::getline(file, noted) && noted == digest;
}

void note_inputs(const fs::path& folder, const std::string& digest) {
  write_file_atomically(folder / kNote, digest + "\n");
}

void remove_note(const fs::path& folder) {
  remove_or_fail(folder / kNote);
}

void remove_unfinished_files(const fs::path& folder) {
  std::vector<fs::path> unfinished;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error))
    if (it->path().filename().string().front() == '.' && it->path().extension() == ".tmp")
      unfinished.push_back(it->path());
  if (error)
    fail(ErrorKind::io, "[conversion] ", folder.string(), ": listing failed: ", error.message());
  for (const fs::path& file : unfinished) remove_or_fail(file);
}

}  // namespace mxdit::conversion

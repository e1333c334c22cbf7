#include "conversion/repack/resume_record.h"

#include <algorithm>
#include <fstream>

#include "conversion/file_pieces.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/file_descriptor.h"
#include "io/sha256.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

namespace {

constexpr const char* kNote = ".made-from";
constexpr uint64_t kSample = uint64_t{64} << 10;

void remove_or_fail(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error)
    fail(ErrorKind::io, "[conversion] ", file.string(), ": removing failed: ", error.message());
}

void add_state(Sha256& hash, const fs::path& file) {
  std::error_code ignored;  // some file systems keep no times
  const auto time = fs::last_write_time(file, ignored).time_since_epoch().count();
  hash.update(detail::concat("\n", file.string(), " ", open_for_reading(file).bytes, " ", time));
}

void add_samples(Sha256& hash, const WeightStore& store, const CancelToken* cancel) {
  const auto add = [&](const uint8_t* data, size_t bytes) { hash.update(data, bytes); };
  for (const fs::path& file : store.files()) {
    PieceReader reader(file);
    for (const std::string& name : store.names()) {
      const TensorPlace place = store.place_of(name);
      if (place.file != file) continue;
      hash.update(detail::concat("\n", name, " ", mxdit::name(place.dtype), " ", place.shape, " ",
                                 place.offset));
      const uint64_t head = std::min(place.bytes, kSample);
      const uint64_t tail = std::min(place.bytes - head, kSample);
      reader.read(place.offset, head, add, cancel);
      reader.read(place.offset + place.bytes - tail, tail, add, cancel);
    }
  }
}

}  // namespace

std::string digest_of_inputs(const std::string& settings,
                             const std::vector<const WeightStore*>& weights,
                             const std::vector<fs::path>& small_files, const CancelToken* cancel) {
  Sha256 hash;
  hash.update(settings);
  for (const fs::path& file : small_files) {
    add_state(hash, file);
    update_with_file(hash, file);
  }
  for (const WeightStore* store : weights) {
    for (const fs::path& file : store->files()) add_state(hash, file);
    add_samples(hash, *store, cancel);
  }
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

#include "checkpoint/fingerprint.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "io/file_descriptor.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kTensorSample = uint64_t{64} << 10;
constexpr uint64_t kFileSample = uint64_t{1} << 20;

// Relative name -> path, without anything whose name or folder is hidden (download caches).
std::map<std::string, fs::path> list_files(const fs::path& folder) {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename().string().front() == '.') {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(error)) {
      files.emplace(it->path().lexically_relative(folder).generic_string(), it->path());
    }
    if (error) break;
  }
  if (error)
    fail(ErrorKind::io, "[checkpoint] ", folder.string(), ": listing failed: ", error.message());
  return files;
}

}  // namespace

void Fingerprint::add_folder(const std::string& prefix, const fs::path& folder) {
  for (const auto& [name, path] : list_files(folder)) add_file(prefix + "/" + name, path);
}

void Fingerprint::add_file(const std::string& name, const fs::path& file) {
  const uint64_t bytes = open_for_reading(file).bytes;
  // Lengths go first, so that no two lists of files give the same text.
  hash_.update(detail::concat(name.size(), ":", name, ":", bytes, ":"));
  if (bytes <= whole_file_)
    update_with_file(hash_, file);
  else
    add_sampled(file);
}

void Fingerprint::add_sampled(const fs::path& file) {
  const auto content = map_file(file);
  if (file.extension() != ".safetensors") {
    add_ends(*content, 0, content->bytes(), kFileSample);
    return;
  }
  const SafetensorsFile tensors = SafetensorsFile::from_memory(content, file);
  const uint64_t start = tensors.header().data_start;
  hash_.update(content->data(), start);
  for (const auto& [name, entry] : tensors.header().tensors)
    add_ends(*content, start + entry.begin, start + entry.end, kTensorSample);
}

void Fingerprint::add_ends(const Storage& content, uint64_t begin, uint64_t end, uint64_t sample) {
  const char* data = static_cast<const char*>(content.data());
  const uint64_t head = std::min(end - begin, sample);
  const uint64_t tail = std::min(end - begin - head, sample);
  hash_.update(data + begin, head);
  hash_.update(data + end - tail, tail);
}

}  // namespace mxdit

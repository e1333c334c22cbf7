#include "checkpoint/weight_store.h"

#include <algorithm>
#include <set>

#include "checkpoint/index_file.h"
#include "core/error.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".safetensors";
constexpr const char* kIndexSuffix = ".safetensors.index.json";

bool ends_with(const std::string& text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

// Sorted names of the folder's files "<stem>*<suffix>".
std::vector<std::string> files_named(const fs::path& folder, std::string_view stem,
                                     std::string_view suffix) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    // Hidden files are unfinished writes, or what other systems leave behind ("._model...").
    if (name.front() != '.' && name.starts_with(stem) && ends_with(name, suffix))
      found.push_back(name);
  }
  if (error)
    fail(ErrorKind::io, "[checkpoint] ", folder.string(), ": listing failed: ", error.message());
  std::sort(found.begin(), found.end());
  return found;
}

// The file that everybody calls the same, or else the only one; nothing when there is none.
fs::path choose(const fs::path& folder, std::string_view suffix) {
  const std::vector<std::string> found = files_named(folder, "", suffix);
  for (const char* stem : {"diffusion_pytorch_model", "model"}) {
    const std::string usual = stem + std::string(suffix);
    if (std::binary_search(found.begin(), found.end(), usual)) return folder / usual;
  }
  if (found.size() > 1)
    fail(ErrorKind::bad_input, "[checkpoint] ", folder.string(), ": expected one file *", suffix,
         ", got ", found.size(), " (", found[0], ", ", found[1], ", ...)");
  return found.empty() ? fs::path() : folder / found[0];
}

}  // namespace

WeightStore WeightStore::open(const fs::path& path) {
  WeightStore store;
  store.path_ = path;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    store.add_file(path);
    return store;
  }
  const fs::path index = choose(path, kIndexSuffix);
  if (!index.empty()) {
    const auto weight_map = read_weight_map(index);
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : weight_map) shards.insert(shard);
    for (const std::string& shard : shards) {
      if (!fs::exists(path / shard, ignored))
        fail(ErrorKind::not_found, "[checkpoint] ", index.string(), ": expected the shard ", shard,
             " beside it, got no such file");
      store.add_file(path / shard);
    }
    store.check_index(index, weight_map);
    return store;
  }
  const fs::path single = choose(path, kSuffix);
  if (single.empty())
    fail(ErrorKind::not_found, "[checkpoint] ", path.string(),
         ": expected a *.safetensors file, got none");
  store.add_file(single);
  return store;
}

WeightStore WeightStore::open_shards(const fs::path& folder, const std::string& stem) {
  WeightStore store;
  store.path_ = folder;
  for (const std::string& name : files_named(folder, stem, kSuffix)) store.add_file(folder / name);
  if (store.files_.empty())
    fail(ErrorKind::not_found, "[checkpoint] ", folder.string(), ": expected files ", stem, "*",
         kSuffix, ", got none");
  const std::vector<std::string> indexes = files_named(folder, stem, kIndexSuffix);
  if (indexes.size() > 1)
    fail(ErrorKind::bad_input, "[checkpoint] ", folder.string(), ": expected one file ", stem, "*",
         kIndexSuffix, ", got ", indexes.size(), " (", indexes[0], ", ", indexes[1], ")");
  if (!indexes.empty())
    store.check_index(folder / indexes[0], read_weight_map(folder / indexes[0]));
  return store;
}

void WeightStore::add_file(const fs::path& file) {
  auto reader = std::make_shared<const SafetensorsFile>(SafetensorsFile::open(file));
  for (const auto& [name, entry] : reader->header().tensors) {
    const auto [place, added] = entries_.emplace(name, files_.size());
    if (!added)
      fail(ErrorKind::bad_input, "[checkpoint] ", file.string(), ": tensor \"", name,
           "\": expected in one shard, got a second one in ", files_[place->second].string());
  }
  for (const auto& [key, value] : reader->header().metadata) {
    const auto [place, added] = metadata_.emplace(key, value);
    if (!added && place->second != value)
      fail(ErrorKind::bad_input, "[checkpoint] ", file.string(), ": metadata \"", key,
           "\": expected \"", place->second, "\" as in the shards before, got \"", value, "\"");
  }
  files_.push_back(file);
  readers_.push_back(std::move(reader));
}

void WeightStore::check_index(const fs::path& index,
                              const std::map<std::string, std::string>& weight_map) const {
  for (const auto& [name, shard] : weight_map) {
    const auto place = entries_.find(name);
    if (place == entries_.end())
      fail(ErrorKind::bad_input, "[checkpoint] ", index.string(), ": tensor \"", name,
           "\": expected in ", shard, ", got none there");
    const std::string actual = files_[place->second].filename().string();
    if (actual != shard)
      fail(ErrorKind::bad_input, "[checkpoint] ", index.string(), ": tensor \"", name,
           "\": expected in ", shard, ", got it in ", actual);
  }
  for (const auto& [name, file] : entries_)
    if (weight_map.count(name) == 0)
      fail(ErrorKind::bad_input, "[checkpoint] ", files_[file].string(), ": tensor \"", name,
           "\": expected to be listed in ", index.filename().string(), ", got no such entry");
}

WeightStore WeightStore::renamed(const std::map<std::string, std::string>& names) const {
  WeightStore store = *this;
  store.entries_.clear();
  store.stored_names_.clear();
  for (const auto& [name, file] : entries_) {
    const auto changed = names.find(name);
    const std::string& shown = changed == names.end() ? name : changed->second;
    MXDIT_CHECK(store.entries_.emplace(shown, file).second,
                "[checkpoint] renaming: expected different names, got ", shown, " twice");
    if (shown != stored_name(name)) store.stored_names_.emplace(shown, stored_name(name));
  }
  return store;
}

const std::string& WeightStore::stored_name(const std::string& name) const {
  const auto renamed = stored_names_.find(name);
  return renamed == stored_names_.end() ? name : renamed->second;
}

bool WeightStore::contains(const std::string& name) const {
  return entries_.count(name) != 0;
}

Tensor WeightStore::get(const std::string& name) const {
  const auto place = entries_.find(name);
  if (place == entries_.end())
    fail(ErrorKind::not_found, "[checkpoint] ", path_.string(), ": expected a tensor \"", name,
         "\", got none of that name among ", entries_.size());
  return readers_[place->second]->get(stored_name(name));
}

Tensor WeightStore::get(const std::string& name, const Shape& shape) const {
  const fs::path& file = file_of(name);
  const Shape& got = readers_[entries_.at(name)]->header().tensors.at(stored_name(name)).shape;
  if (got != shape)
    fail(ErrorKind::bad_input, "[checkpoint] ", file.string(), ": tensor \"", name,
         "\": expected shape ", shape, ", got ", got);
  return get(name);
}

TensorPlace WeightStore::place_of(const std::string& name) const {
  const fs::path& file = file_of(name);
  const SafetensorsHeader& header = readers_[entries_.at(name)]->header();
  const SafetensorsEntry& entry = header.tensors.at(stored_name(name));
  return {file, header.data_start + entry.begin, entry.end - entry.begin, entry.dtype, entry.shape};
}

std::vector<std::string> WeightStore::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& [name, file] : entries_) names.push_back(name);
  return names;
}

const fs::path& WeightStore::file_of(const std::string& name) const {
  const auto place = entries_.find(name);
  if (place == entries_.end()) get(name);  // throws not_found
  return files_[place->second];
}

uint64_t WeightStore::total_bytes() const noexcept {
  uint64_t total = 0;
  for (const auto& reader : readers_)
    for (const auto& [name, entry] : reader->header().tensors) total += entry.end - entry.begin;
  return total;
}

}  // namespace mxdit

#include "conversion/shards.h"

#include <cstdio>

#include "core/error.h"
#include "io/json_file.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

namespace {

std::string shard_name(const std::string& stem, size_t index, size_t count) {
  if (count == 1) return stem + ".safetensors";
  char place[48];
  std::snprintf(place, sizeof(place), "-%05zu-of-%05zu", index + 1, count);
  return stem + place + ".safetensors";
}

}  // namespace

uint64_t data_bytes(const SafetensorsWriter::Declaration& tensor) {
  return static_cast<uint64_t>(tensor.shape.elements()) * element_size(tensor.dtype);
}

std::vector<Shard> plan_shards(const std::vector<SafetensorsWriter::Declaration>& tensors,
                               uint64_t max_bytes, const std::string& stem) {
  std::vector<Shard> shards(1);
  uint64_t filled = 0;
  for (const SafetensorsWriter::Declaration& tensor : tensors) {
    const uint64_t bytes = data_bytes(tensor);
    if (!shards.back().tensors.empty() && (filled > max_bytes || bytes > max_bytes - filled)) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().tensors.push_back(tensor);
    filled += bytes;
  }
  for (size_t i = 0; i < shards.size(); ++i) shards[i].file = shard_name(stem, i, shards.size());
  return shards;
}

void write_shard_index(const fs::path& folder, const std::string& stem,
                       const std::vector<Shard>& shards) {
  if (shards.size() < 2) return;
  uint64_t total = 0;
  Json map = Json::object();
  for (const Shard& shard : shards)
    for (const SafetensorsWriter::Declaration& tensor : shard.tensors) {
      total += data_bytes(tensor);
      map[tensor.name] = shard.file;
    }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
  write_file_atomically(folder / (stem + ".safetensors.index.json"), index.dump(2) + "\n");
}

bool holds_exactly(const fs::path& file, const Shard& shard,
                   const std::map<std::string, std::string>& metadata) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return false;
  try {
    const SafetensorsFile stored = SafetensorsFile::open(file);
    const auto& entries = stored.header().tensors;
    if (entries.size() != shard.tensors.size() || stored.header().metadata != metadata)
      return false;
    for (const SafetensorsWriter::Declaration& tensor : shard.tensors) {
      const auto place = entries.find(tensor.name);
      if (place == entries.end() || place->second.dtype != tensor.dtype ||
          place->second.shape != tensor.shape)
        return false;
    }
    return true;
  } catch (const Error&) {
    return false;  // damaged: it is written anew
  }
}

}  // namespace mxdit::conversion

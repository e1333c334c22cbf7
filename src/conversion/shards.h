// A checkpoint component as several safetensors files and their index, as diffusers names them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace mxdit::conversion {

struct Shard {
  std::string file;  // "diffusion_pytorch_model-00001-of-00003.safetensors"
  std::vector<SafetensorsWriter::Declaration> tensors;
};

// Fills shards with the tensors in their given order, at most `max_bytes` of data each; a larger
// tensor has a shard of its own. One shard is called "<stem>.safetensors". There is always one.
std::vector<Shard> plan_shards(const std::vector<SafetensorsWriter::Declaration>& tensors,
                               uint64_t max_bytes, const std::string& stem);

// Writes "<stem>.safetensors.index.json", which a single shard does not need (nothing is written).
void write_shard_index(const std::filesystem::path& folder, const std::string& stem,
                       const std::vector<Shard>& shards);

// Whether `file` is a safetensors file with just these tensors, types, shapes and metadata.
bool holds_exactly(const std::filesystem::path& file, const Shard& shard,
                   const std::map<std::string, std::string>& metadata);

uint64_t data_bytes(const SafetensorsWriter::Declaration& tensor);

}  // namespace mxdit::conversion

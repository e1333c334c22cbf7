// The tensors of one model component (text_encoder/, transformer/, vae/, ...), mapped from its
// safetensors files and looked up by name.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace mxdit {

class WeightStore {
 public:
  // Opens a component folder: the shards an index (*.safetensors.index.json) names, or the single
  // file `diffusion_pytorch_model.safetensors` / `model.safetensors`, or the only *.safetensors
  // there. `path` may also be one .safetensors file. Nothing is read but headers.
  // Errors: not_found (no file, a shard the index names), bad_input (a header that lies, a tensor
  // in two shards, a tensor the index places elsewhere).
  static WeightStore open(const std::filesystem::path& path);

  bool contains(const std::string& name) const;
  // The mapped tensor. Error{not_found} naming folder and tensor when missing.
  Tensor get(const std::string& name) const;
  // The mapped tensor, whose shape must be `shape`; Error{bad_input} naming file, tensor, expected
  // and got shape otherwise.
  Tensor get(const std::string& name, const Shape& shape) const;

  std::vector<std::string> names() const;  // sorted
  const std::filesystem::path& file_of(const std::string& name) const;
  const std::filesystem::path& path() const noexcept { return path_; }
  uint64_t total_bytes() const noexcept;
  // "__metadata__" of all shards, merged.
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

 private:
  struct Entry {
    Tensor tensor;
    size_t file;
  };
  std::filesystem::path path_;
  std::vector<std::filesystem::path> files_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace mxdit

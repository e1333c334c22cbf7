// The tensors of one model component (text_encoder/, transformer/, vae/, ...), mapped from its
// safetensors files and looked up by name.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "io/safetensors.h"

namespace mxdit {

// The bytes of one tensor inside its file.
struct TensorPlace {
  std::filesystem::path file;
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;
  DType dtype = DType::f32;
  Shape shape;
};

class WeightStore {
 public:
  // Opens a component folder: the shards an index (*.safetensors.index.json) names, or the single
  // file `diffusion_pytorch_model.safetensors` / `model.safetensors`, or the only *.safetensors
  // there. `path` may also be one .safetensors file. Nothing is read but headers.
  // Errors: not_found (no file, a shard the index names), bad_input (a header that lies, a tensor
  // in two shards, a tensor the index places elsewhere). Index and shards have to list the same
  // tensors: a difference means that they come from different saves.
  static WeightStore open(const std::filesystem::path& path);

  // The tensors of exactly these files, as open() has them of an index's shards. `path` is what
  // messages call the whole.
  static WeightStore open_files(const std::filesystem::path& path,
                                const std::vector<std::filesystem::path>& files);

  // The same tensors under other names; those that `names` (stored -> new) lacks keep theirs. Two
  // that would share a name are a defect of the caller.
  WeightStore renamed(const std::map<std::string, std::string>& names) const;

  // Opens all files `<stem>*.safetensors` of a folder, as exporters write them; the index
  // `<stem>*.safetensors.index.json`, where there is one, has to list the same tensors. Errors: as
  // of open().
  static WeightStore open_shards(const std::filesystem::path& folder, const std::string& stem);

  bool contains(const std::string& name) const;
  // The mapped tensor (a copy where the file has it unaligned, see SafetensorsFile::get).
  // Error{not_found} naming folder and tensor when missing.
  Tensor get(const std::string& name) const;
  // The mapped tensor, whose shape must be `shape`; Error{bad_input} naming file, tensor, expected
  // and got shape otherwise.
  Tensor get(const std::string& name, const Shape& shape) const;

  // Type, shape and where a tensor lies, from the header alone. Error{not_found} as get().
  TensorPlace place_of(const std::string& name) const;

  // A hint that the tensor's memory is not needed soon (SafetensorsFile::release); tensors handed
  // out stay valid. Error{not_found} as of get().
  void release(const std::string& name) const;
  // The file of a tensor as it was when the store was opened. Error{not_found} as of get().
  const FileIdentity& identity_of(const std::string& name) const;

  std::vector<std::string> names() const;  // sorted
  // Those that begin with `<scope>.`, sorted, without that beginning.
  std::vector<std::string> names_below(const std::string& scope) const;
  const std::filesystem::path& file_of(const std::string& name) const;
  const std::vector<std::filesystem::path>& files() const noexcept { return files_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  uint64_t total_bytes() const noexcept;
  // "__metadata__" of all shards, merged; shards that disagree on a value are refused on open.
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

 private:
  const SafetensorsFile& reader_of(const std::string& name) const;
  const std::string& stored_name(const std::string& name) const;
  void add_file(const std::filesystem::path& file);
  void check_index(const std::filesystem::path& index,
                   const std::map<std::string, std::string>& weight_map) const;

  std::filesystem::path path_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::shared_ptr<const SafetensorsFile>> readers_;  // beside files_
  std::map<std::string, size_t> entries_;                        // name -> place in files_
  std::map<std::string, std::string> stored_names_;  // of renamed tensors: name -> as in the file
  std::map<std::string, std::string> metadata_;
};

}  // namespace mxdit

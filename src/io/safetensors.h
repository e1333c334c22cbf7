// The safetensors format: an 8-byte little-endian length, a JSON header of that length, then the
// tensors' bytes back to back.
//
// Reading is strict: any header that the format forbids is refused, so that a Tensor handed out
// always lies inside its file. Files are mapped; nothing but the header is read on open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "io/atomic_file.h"
#include "io/file_descriptor.h"

namespace mxdit {

// Limit of the format's reference implementation.
constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

struct SafetensorsEntry {
  DType dtype = DType::f32;
  Shape shape;
  uint64_t begin = 0;  // bytes from data_start
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;  // "__metadata__"
  uint64_t data_start = 0;                      // bytes from the start of the file
};

// Checks the header of a whole file in memory; `file` is only for messages. Refused (bad_input): a
// header longer than the file or kMaxSafetensorsHeader, anything but a JSON object of entries with
// exactly dtype, shape and data_offsets, duplicate keys, unknown dtypes, shapes whose product
// overflows, and data that overlaps, leaves holes, or does not end with the file.
SafetensorsHeader parse_safetensors_header(const void* data, uint64_t bytes,
                                           const std::string& file);

class SafetensorsFile {
 public:
  // Errors: not_found, io, bad_input.
  static SafetensorsFile open(const std::filesystem::path& path);
  // A file that is already in memory; `path` is only for messages.
  static SafetensorsFile from_memory(std::shared_ptr<Storage> content,
                                     const std::filesystem::path& path);

  const SafetensorsHeader& header() const noexcept { return header_; }
  const std::filesystem::path& path() const noexcept { return path_; }

  // A view of the mapping, which it keeps alive. Old writers did not pad headers, so a tensor can
  // lie at an address that its element size does not divide; such a tensor is copied to aligned
  // memory, anew on every call. Errors: not_found, out_of_memory (the copy).
  Tensor get(const std::string& name) const;

  // A hint that the tensor will not be read soon: the pages that hold nothing else leave memory.
  // Tensors handed out stay valid. Nothing happens to a file that was given as memory.
  // Errors: not_found.
  void release(const std::string& name) const;

  // Of the file when it was opened; all zero for one that was given as memory.
  const FileIdentity& identity() const noexcept { return identity_; }

 private:
  const SafetensorsEntry& entry_of(const std::string& name) const;

  std::filesystem::path path_;
  std::shared_ptr<Storage> content_;
  bool is_mapped_ = false;
  FileIdentity identity_;
  SafetensorsHeader header_;
};

// Writes one file, tensor by tensor and piece by piece, without holding it in memory.
//
// The layout does not depend on the order of writing: tensors lie by type, wider ones first (which
// keeps all of them aligned), then by name, and the header is padded with spaces to a multiple of
// 8. The reference implementation does the same, so both write the same bytes.
// The file appears on finish(), and not at all without it (AtomicFile).
class SafetensorsWriter {
 public:
  struct Declaration {
    std::string name;
    DType dtype;
    Shape shape;
  };

  // Throws bad_input for a name given twice or "__metadata__"; see AtomicFile for the others.
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<Declaration>& tensors,
                    const std::map<std::string, std::string>& metadata = {});

  // Appends to a tensor. Tensors may be written in any order, also interleaved. An undeclared name
  // or bytes beyond the declared size are a defect of the caller.
  void write(const std::string& name, const void* data, size_t bytes);
  // Writes the whole of a declared tensor, checking dtype and shape; host memory only.
  void write(const std::string& name, const Tensor& tensor);

  // Completes the file. A tensor that is not completely written is a defect of the caller.
  void finish();

 private:
  struct Progress {
    SafetensorsEntry entry;
    uint64_t written = 0;
  };
  void lay_out(const std::vector<Declaration>& tensors);
  std::string encode_header(const std::map<std::string, std::string>& metadata) const;
  Progress& progress_of(const std::string& name);

  AtomicFile file_;
  std::map<std::string, Progress> tensors_;
  std::vector<std::string> order_;  // as the tensors lie in the file
  uint64_t data_start_ = 0;
};

// Writes all tensors at once.
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace mxdit

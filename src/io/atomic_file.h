// Files that appear complete or not at all.
//
// Bytes go to a hidden temporary file beside the target; commit() syncs it and renames it onto the
// target. Without commit() (an exception, an early return) the temporary file is removed and the
// target is as before. Only a killed process can leave a temporary file (`.NAME.PID.N.tmp`) behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "io/file_descriptor.h"

namespace mxdit {

class AtomicFile {
 public:
  // Creates the temporary file. The folder must exist; a target that exists must be a regular
  // file. Errors: not_found (no such folder), bad_input (a folder or device as target), io.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  // Gives the file its final size now, so that a full disk shows before hours of work.
  void reserve(uint64_t bytes);
  // Writes at any offset; ranges may come in any order.
  void write_at(uint64_t offset, const void* data, size_t bytes);
  // Makes the file durable and visible. Nothing may be written afterwards.
  void commit();

  const std::filesystem::path& target() const noexcept { return target_; }

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty once committed
  FileDescriptor fd_;
};

// Writes a whole (small) file.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace mxdit

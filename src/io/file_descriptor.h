// An open file descriptor with one owner, and the error every system call of this room raises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "core/error.h"

namespace mxdit {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  ~FileDescriptor() { close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const noexcept { return fd_; }
  void close() noexcept;

 private:
  int fd_ = -1;
};

// What a file system says of a file, to tell whether it is still the one it was. The time of change
// is set by the system on every write and cannot be set back, but it moves in steps of some
// milliseconds (two seconds on the coarsest file systems).
struct FileIdentity {
  uint64_t inode = 0, bytes = 0;
  int64_t modified_ns = 0, changed_ns = 0;  // since 1970

  bool operator==(const FileIdentity&) const = default;
};

struct OpenFile {
  FileDescriptor fd;
  size_t bytes = 0;
  FileIdentity identity;
};

// Opens a regular file for reading. Errors: not_found, bad_input (not a regular file), io.
OpenFile open_for_reading(const std::filesystem::path& path);

// Throws the error of a system call that just failed: not_found for a missing file, io otherwise.
[[noreturn]] void fail_errno(const std::filesystem::path& path, const char* doing, int error);

}  // namespace mxdit

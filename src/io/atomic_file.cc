#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

namespace mxdit {
namespace {

std::filesystem::path temporary_beside(const std::filesystem::path& target) {
  static std::atomic<uint64_t> counter{0};
  return target.parent_path() /
         detail::concat(".", target.filename().string(), ".", ::getpid(), ".", counter++, ".tmp");
}

void check_target(const std::filesystem::path& target) {
  std::error_code ignored;
  const auto status = std::filesystem::status(target, ignored);
  if (target.filename().empty() ||
      (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)))
    fail(ErrorKind::bad_input, "[io] ", target.string(),
         ": expected the name of a regular file to write, got a folder or a special file");
}

// The rename itself is durable only once its folder is synced. Some file systems cannot sync
// folders; the file is complete there all the same, so failure is ignored.
void sync_folder_of(const std::filesystem::path& target) {
  const auto folder = target.has_parent_path() ? target.parent_path() : ".";
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (fd.get() >= 0) (void)::fsync(fd.get());
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  check_target(target_);
  temporary_ = temporary_beside(target_);
  fd_ = FileDescriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd_.get() < 0) {
    temporary_.clear();
    fail_errno(target_, "creating a temporary file beside it", errno);
  }
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::move(other.fd_)) {
  other.temporary_.clear();
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::reserve(uint64_t bytes) {
  if (bytes == 0) return;
  int result = 0;
  do {
    result = ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return;
  if (errno != EOPNOTSUPP && errno != ENOSYS) fail_errno(target_, "reserving disk space", errno);
  if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0)
    fail_errno(target_, "setting the size", errno);
}

void AtomicFile::write_at(uint64_t offset, const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t done = ::pwrite(fd_.get(), from, std::min<size_t>(bytes, size_t{1} << 30),
                                  static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail_errno(target_, "writing", done < 0 ? errno : EIO);
    from += done;
    bytes -= static_cast<size_t>(done);
    offset += static_cast<uint64_t>(done);
  }
}

void AtomicFile::commit() {
  MXDIT_CHECK(!temporary_.empty(), "[io] ", target_.string(), ": committed twice");
  if (::fsync(fd_.get()) != 0) fail_errno(target_, "syncing", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_errno(target_, "renaming", errno);
  temporary_.clear();
  fd_.close();
  sync_folder_of(target_);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write_at(0, content.data(), content.size());
  file.commit();
}

}  // namespace mxdit

#include "io/file_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace mxdit {

namespace {

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

void FileDescriptor::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

OpenFile open_for_reading(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO that nobody writes must fail below, not hang here.
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) fail_errno(path, "opening", errno);
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) fail_errno(path, "reading the size", errno);
  if (!S_ISREG(status.st_mode))
    fail(ErrorKind::bad_input, "[io] ", path.string(), ": expected a regular file, got a ",
         S_ISDIR(status.st_mode) ? "folder" : "special file");
  const FileIdentity identity = {status.st_ino, static_cast<uint64_t>(status.st_size),
                                 nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
  return {std::move(fd), static_cast<size_t>(status.st_size), identity};
}

void fail_errno(const std::filesystem::path& path, const char* doing, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  fail(missing ? ErrorKind::not_found : ErrorKind::io, "[io] ", path.string(), ": ", doing,
       " failed: ", std::generic_category().message(error));
}

}  // namespace mxdit

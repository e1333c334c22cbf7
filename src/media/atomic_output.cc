#include "media/atomic_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/error.h"

namespace fs = std::filesystem;

namespace mxdit::media {
namespace {

[[noreturn]] void fail_to_write(const std::string& target, const std::string& reason) {
  fail(ErrorKind::io, "[media] ", target, ": expected to be writable, got: ", reason);
}

std::string temporary_name(const fs::path& folder) {
  static std::atomic<unsigned> counter{0};
  return (folder /
          (".mxdit-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp"))
      .string();
}

fs::path parent_of(const fs::path& target) {
  const fs::path parent = target.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

void make_parent(const std::string& target) {
  std::error_code error;
  fs::create_directories(parent_of(target), error);
  if (error) fail_to_write(target, error.message());
}

// Without the trailing '/', which would make the folder its own parent.
std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool is_frame_name(const std::string& name) {
  return name.rfind("frame_", 0) == 0 && name.size() > 10 &&
         name.compare(name.size() - 4, 4, ".png") == 0;
}

// An existing folder is replaced as a whole, so it may hold nothing but frames.
void check_replaceable(const std::string& target) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(target, error))) return;
  if (!fs::is_directory(target, error))
    fail(ErrorKind::io, "[media] ", target, ": expected a folder, got a file");
  for (fs::directory_iterator it(target, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!is_frame_name(name))
      fail(ErrorKind::io, "[media] ", target,
           ": expected no folder or one that holds only frame_*.png, got ", name);
  }
  if (error) fail_to_write(target, error.message());
}

void check_no_folder(const std::string& target) {
  std::error_code error;
  if (fs::is_directory(target, error))
    fail(ErrorKind::io, "[media] ", target, ": expected a file, got a folder");
}

// New files get the rights that the umask gives, which mkstemp would not do.
void create_empty(const std::string& path, const std::string& target) {
  const int file = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0) fail_to_write(target, std::strerror(errno));
  close(file);
}

void probe(const std::string& target) {
  std::error_code error;
  fs::path folder = fs::absolute(parent_of(target), error);
  while (!fs::exists(folder, error) && !error && folder.has_relative_path())
    folder = folder.parent_path();
  if (error) fail_to_write(target, error.message());
  const std::string path = temporary_name(folder);
  create_empty(path, target);
  unlink(path.c_str());
}

}  // namespace

TemporaryFile::TemporaryFile(const std::string& target) : target_(target) {
  check_no_folder(target);
  make_parent(target);
  const std::string path = temporary_name(parent_of(target));
  create_empty(path, target);
  path_ = path;
}

TemporaryFile::~TemporaryFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

void TemporaryFile::commit() {
  if (std::rename(path_.c_str(), target_.c_str()) != 0)
    fail_to_write(target_, std::strerror(errno));
  path_.clear();
}

TemporaryFolder::TemporaryFolder(const std::string& target) : target_(without_slash(target)) {
  check_replaceable(target_);
  make_parent(target_);
  const std::string path = temporary_name(parent_of(target_));
  std::error_code error;
  fs::create_directory(path, error);
  if (error) fail_to_write(target_, error.message());
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void TemporaryFolder::commit() {
  check_replaceable(target_);
  std::error_code error;
  std::string old;
  if (fs::exists(target_, error)) {
    old = temporary_name(parent_of(target_));
    fs::rename(target_, old, error);
    if (error) fail_to_write(target_, error.message());
  }
  fs::rename(path_, target_, error);
  if (error) {
    std::error_code ignored;
    if (!old.empty()) fs::rename(old, target_, ignored);
    fail_to_write(target_, error.message());
  }
  path_.clear();
  if (!old.empty()) fs::remove_all(old, error);
}

void probe_file(const std::string& target) {
  check_no_folder(target);
  probe(target);
}

void probe_folder(const std::string& target) {
  check_replaceable(without_slash(target));
  probe(without_slash(target));
}

}  // namespace mxdit::media

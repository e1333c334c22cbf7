#include "conversion/output_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

namespace {

// The real folder behind links, without a slash in the end.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::absolute(path, error);
  if (!error) real = fs::weakly_canonical(real, error);
  if (error)
    fail(ErrorKind::io, "[conversion] ", path.string(), ": resolving failed: ", error.message());
  return real.has_filename() ? real : real.parent_path();
}

bool is_same_or_below(const fs::path& path, const fs::path& folder) {
  const auto [in_folder, in_path] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return in_folder == folder.end();
}

void sync_folder(const fs::path& folder) {
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (fd.get() >= 0) (void)::fsync(fd.get());  // some file systems cannot
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

bool same_file(int fd, const fs::path& path) {
  struct stat one, other;
  return ::fstat(fd, &one) == 0 && ::lstat(path.c_str(), &other) == 0 &&
         one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& target, Options options)
    : options_(std::move(options)), target_(resolved(target)) {
  if (!target_.has_filename())
    fail(ErrorKind::usage, "[conversion] ", target.string(),
         ": expected the name of a folder to write, got the root");
  working_ = target_.parent_path() / ("." + target_.filename().string() + ".partial");
  check_target();
  try {
    make_parents();
    enter_working();
  } catch (...) {
    remove_made_parents();
    throw;
  }
}

OutputFolder::~OutputFolder() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(working_, ignored);
  remove_made_parents();
}

void OutputFolder::check_target() const {
  if (!is_there(target_)) return;
  if (!options_.force)
    fail(ErrorKind::usage, "[conversion] ", target_.string(),
         ": expected a name that is free, got one that exists; --force replaces it");
  std::error_code ignored;
  if (!fs::is_directory(target_, ignored))
    fail(ErrorKind::usage, "[conversion] ", target_.string(),
         ": expected a folder to replace, got something else");
  const bool known = fs::is_empty(target_, ignored) ||
                     std::any_of(options_.marks.begin(), options_.marks.end(),
                                 [&](const std::string& name) { return is_there(target_ / name); });
  if (!known)
    fail(ErrorKind::usage, "[conversion] ", target_.string(),
         ": expected a folder that an earlier run wrote, got one without ", options_.marks.front());
}

void OutputFolder::make_parents() {
  std::vector<fs::path> missing;
  for (fs::path parent = target_.parent_path(); !is_there(parent); parent = parent.parent_path())
    missing.push_back(parent);
  std::reverse(missing.begin(), missing.end());
  for (const fs::path& folder : missing) {
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST)
      fail_errno(folder, "making the folder", errno);
    made_parents_.push_back(folder);
  }
}

void OutputFolder::enter_working() {
  if (::mkdir(working_.c_str(), 0777) != 0) {
    if (errno != EEXIST) fail_errno(working_, "making the folder", errno);
    taken_over_ = true;
  }
  lock_ = FileDescriptor(::open(working_.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW));
  if (lock_.get() < 0) fail_errno(working_, "opening the folder", errno);
  // A file system without locks has no protection, but works. The folder may also have been renamed
  // between opening and locking.
  const bool busy = ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (busy || !same_file(lock_.get(), working_))
    fail(ErrorKind::usage, "[conversion] ", target_.string(),
         ": expected to be the only one who writes it, got another process that does");
  if (taken_over_ && !options_.force)
    fail(ErrorKind::usage, "[conversion] ", target_.string(), ": expected no unfinished run, got ",
         working_.string(), " of one that was killed; --force resumes it");
}

void OutputFolder::remove_made_parents() noexcept {
  std::error_code ignored;  // one that is not empty stays
  for (auto folder = made_parents_.rbegin(); folder != made_parents_.rend(); ++folder)
    fs::remove(*folder, ignored);
}

void OutputFolder::clear() {
  std::error_code error;
  for (fs::directory_iterator it(working_, error), end; !error && it != end; it.increment(error))
    fs::remove_all(it->path(), error);
  if (error)
    fail(ErrorKind::io, "[conversion] ", working_.string(), ": clearing failed: ", error.message());
}

void OutputFolder::commit() {
  MXDIT_CHECK(!committed_, "[conversion] ", target_.string(), ": committed twice");
  sync_folder(working_);
  // The target may have come into being meanwhile.
  check_target();
  if (!is_there(target_)) {
    if (::rename(working_.c_str(), target_.c_str()) != 0) fail_errno(target_, "renaming", errno);
    committed_ = true;
  } else if (::renameat2(AT_FDCWD, working_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) ==
             0) {
    committed_ = true;
    std::error_code ignored;  // what remains of the old one is hidden, and the new one complete
    fs::remove_all(working_, ignored);
  } else {
    // A file system that cannot exchange: the old one is put aside for a moment, never removed
    // before the new one is in place.
    const fs::path aside = working_.string() + ".old";
    if (::rename(target_.c_str(), aside.c_str()) != 0) fail_errno(target_, "renaming", errno);
    if (::rename(working_.c_str(), target_.c_str()) != 0) {
      const int error = errno;
      (void)::rename(aside.c_str(), target_.c_str());
      fail_errno(target_, "renaming", error);
    }
    committed_ = true;
    std::error_code ignored;
    fs::remove_all(aside, ignored);
  }
  sync_folder(target_.parent_path());
}

void check_apart(const fs::path& output, const fs::path& input, const std::string& flag) {
  const fs::path to = resolved(output), from = resolved(input);
  if (is_same_or_below(to, from) || is_same_or_below(from, to))
    fail(ErrorKind::usage, "[conversion] ", output.string(), ": expected a folder apart from ",
         flag, ", got ", to == from ? "the same one" : "one inside of the other", " (",
         input.string(), ")");
}

}  // namespace mxdit::conversion

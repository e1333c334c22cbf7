// Output that appears complete or not at all: everything is written under a temporary name in the
// folder of the target and renamed at the end. Destroyed before commit(), nothing remains.
#pragma once

#include <string>

namespace mxdit::media {

class TemporaryFile {
 public:
  // Makes missing parent folders, then the temporary file. Throws Error{io} naming `target`.
  explicit TemporaryFile(const std::string& target);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const noexcept { return path_; }
  void commit();

 private:
  std::string target_, path_;
};

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& target);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const noexcept { return path_; }
  // Replaces an existing folder of frames.
  void commit();

 private:
  std::string target_, path_;
};

// Whether a file, or a folder of frames, could be made at `target`; tries it for real in the
// nearest folder that exists, since permission bits do not tell about read-only file systems or
// root. Leaves nothing behind. Throws Error{io}.
void probe_file(const std::string& target);
void probe_folder(const std::string& target);

}  // namespace mxdit::media

// A folder that appears complete or not at all.
//
// Everything is written to a hidden working folder beside the target, `.NAME.partial`; commit()
// renames it onto the target. Destroyed before that (an exception, cancellation), it is removed and
// the target is as before. Only a killed process leaves a working folder behind, which the next run
// may take over. A working folder is locked while it is in use.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/file_descriptor.h"

namespace mxdit::conversion {

class OutputFolder {
 public:
  struct Options {
    // Take over an abandoned working folder, and replace a target that exists.
    bool force = false;
    // A folder that is replaced has to be empty or to hold one of these names: a mistyped target
    // must not cost somebody's files.
    std::vector<std::string> marks;
  };

  // Makes missing folders above the target. Errors: usage (the target exists, or an abandoned
  // working folder, without `force`; a working folder in use by another process; a target that is
  // not replaced), io.
  OutputFolder(const std::filesystem::path& target, Options options);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& target() const noexcept { return target_; }
  const std::filesystem::path& working() const noexcept { return working_; }
  // Whether the working folder was there before.
  bool taken_over() const noexcept { return taken_over_; }
  // Removes all that is in the working folder.
  void clear();
  // An existing target is exchanged for the new folder in one step, then removed.
  void commit();

 private:
  void check_target() const;
  void make_parents();
  void enter_working();
  void remove_made_parents() noexcept;

  Options options_;
  std::filesystem::path target_, working_;
  std::vector<std::filesystem::path> made_parents_;  // outermost first
  FileDescriptor lock_;
  bool taken_over_ = false;
  bool committed_ = false;
};

// Throws Error{usage} when one of the folders lies in the other, or both are one. `output` need not
// exist; links are followed. `flag` names the input.
void check_apart(const std::filesystem::path& output, const std::filesystem::path& input,
                 const std::string& flag);

}  // namespace mxdit::conversion

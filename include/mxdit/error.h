// What goes wrong in mxdit, as one exception type.
//
// The library never prints, aborts or exits: every failure is an `mxdit::Error` whose text reads
// `[room] what: expected X, got Y` and names the file, tensor, layer or flag concerned.
#pragma once

#include <stdexcept>
#include <string>

namespace mxdit {

// Each kind has one documented exit status of the command line program (docs/cli.md).
enum class ErrorKind {
  usage,          // a flag or a request that cannot be meant: exit status 2
  bad_input,      // a file or a tensor that is not what it has to be: 3
  not_found,      // a file, folder or tensor that is missing: 4
  unsupported,    // valid, but not something this build can run: 5
  out_of_memory,  // the run would not fit, or an allocation failed: 6
  io,             // reading or writing failed: 7
  cancelled,      // stopped by the caller: 130
  internal        // a defect of mxdit: 70
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Exit status of the program for a kind (see ErrorKind).
int exit_status(ErrorKind kind) noexcept;

}  // namespace mxdit

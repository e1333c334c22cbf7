// CANN's shared libraries, opened at run time, with every symbol looked up by itself.
//
// Order (the first that has a symbol counts): libacl_rt.so, else libascendcl.so, for the runtime;
// libnnopbase.so for aclnn's objects; libopapi_nn.so, libopapi_math.so, libopapi_transformer.so,
// libopapi.so for the operators. By soname, as set_env.sh of CANN has prepared LD_LIBRARY_PATH,
// else in $ASCEND_HOME_PATH/lib64. Libraries are never closed: CANN's own threads may outlive any
// object of ours.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "backend/ascend/cann/functions.h"
#include "backend/ascend/cann/operator_list.h"
#include "mxdit/device.h"

namespace mxdit::ascend::cann {

// How libraries are opened: the system's way, or a test's.
class LibraryLoader {
 public:
  virtual ~LibraryLoader() = default;
  // Null when it cannot be opened; then `why` says why.
  virtual void* open(const std::string& name, std::string* why) = 0;
  virtual void* symbol(void* library, const char* name) = 0;
  virtual std::string path(void* library) = 0;
};
LibraryLoader& system_loader();

struct OperatorFunctions {
  void* plan = nullptr;             // aclnnXGetWorkspaceSize; arguments as in operator_list.h
  LaunchFunction launch = nullptr;  // aclnnX
};

class Libraries {
 public:
  // Error{unsupported} when a library or a symbol that every run needs is missing: it names them,
  // the CANN version that first has them, and the environment variables that were looked at.
  static std::shared_ptr<const Libraries> open(LibraryLoader& loader = system_loader());
  // The same without the error: for reports on what is missing.
  static std::shared_ptr<const Libraries> look(LibraryLoader& loader = system_loader());

  const Functions& functions() const noexcept { return functions_; }
  bool has(OperatorId id) const noexcept {
    return operators_[static_cast<size_t>(id)].launch != nullptr;
  }
  // Error{unsupported} naming the operator, its use and the first CANN version.
  const OperatorFunctions& find(OperatorId id) const;
  // What find() would say; empty when the operator is there.
  std::string why_absent(OperatorId id) const;
  // Empty when everything that each run needs is there.
  std::string why_unusable() const;

  const std::vector<LibraryReport>& libraries() const noexcept { return libraries_; }
  const std::vector<SymbolReport>& symbols() const noexcept { return symbols_; }

 private:
  void open_all(LibraryLoader& loader);
  void look_up_functions(LibraryLoader& loader);
  void look_up_operators(LibraryLoader& loader);
  void* open_one(LibraryLoader& loader, const std::string& name);
  void* look_up(LibraryLoader& loader, const char* symbol, SymbolReport report);

  struct Opened {
    std::string name;
    void* handle;
  };
  std::vector<Opened> opened_;
  std::vector<LibraryReport> libraries_;
  std::vector<SymbolReport> symbols_;
  Functions functions_;
  std::array<OperatorFunctions, kOperators> operators_{};
};

// Fills in the libraries and symbols of a report.
void describe(const Libraries& libraries, DeviceReport& report);

// "aclnnAdd"
const char* name(OperatorId id) noexcept;

}  // namespace mxdit::ascend::cann

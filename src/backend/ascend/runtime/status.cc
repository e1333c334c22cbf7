#include "backend/ascend/runtime/status.h"

#include <algorithm>

namespace mxdit::ascend {
namespace {

constexpr cann::Status kNotSupported = 207000;
constexpr cann::Status kOtherSoc = 361001;       // aclnn: the operator is not for this chip
constexpr cann::Status kNoKernel = 561003;       // aclnn: no kernel for this chip
constexpr cann::Status kKernelPackage = 561112;  // aclnn: the kernels do not fit the libraries

}  // namespace

std::string recent_error(const cann::Functions& cann) {
  const char* text = cann.recent_error == nullptr ? nullptr : cann.recent_error();
  std::string line = text == nullptr ? "" : text;
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line.empty() ? "no message" : line;
}

ErrorKind kind_of(cann::Status status) noexcept {
  switch (status) {
    case cann::kOutOfMemory:
      return ErrorKind::out_of_memory;
    case kNotSupported:
    case kOtherSoc:
    case kNoKernel:
    case kKernelPackage:
      return ErrorKind::unsupported;
    default:
      return ErrorKind::internal;
  }
}

std::string failure_text(const cann::Functions& cann, const std::string& what,
                         cann::Status status) {
  return "[backend] ascend: " + what + ": expected 0, got " + std::to_string(status) + ": " +
         recent_error(cann);
}

}  // namespace mxdit::ascend

// Failures of CANN as errors of mxdit.
#pragma once

#include <string>

#include "backend/ascend/cann/functions.h"
#include "core/error.h"

namespace mxdit::ascend {

// CANN's message about the last failure on this thread, which reading clears; one line.
std::string recent_error(const cann::Functions& cann);

// Out of memory, not supported, or a failure of the device.
ErrorKind kind_of(cann::Status status) noexcept;

// "[backend] ascend: aclrtMalloc: expected 0, got 207001: <CANN's message>"
std::string failure_text(const cann::Functions& cann, const std::string& what, cann::Status status);

// Throws that unless status is 0. `what` may be anything that prints.
template <typename... What>
void check_status(const cann::Functions& cann, cann::Status status, const What&... what) {
  if (status != cann::kSuccess)
    fail(kind_of(status), failure_text(cann, mxdit::detail::concat(what...), status));
}

}  // namespace mxdit::ascend

// Cancellation points inside the library.
#pragma once

#include "core/error.h"
#include "mxdit/cancel.h"

namespace mxdit {

// Throws Error{cancelled} once the token was raised; a null token never is.
inline void check_cancelled(const CancelToken* token) {
  if (token != nullptr && token->cancelled())
    fail(ErrorKind::cancelled, "[engine] run: stopped on request");
}

}  // namespace mxdit

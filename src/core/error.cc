#include "core/error.h"

namespace mxdit {

int exit_status(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage: return 2;
    case ErrorKind::bad_input: return 3;
    case ErrorKind::not_found: return 4;
    case ErrorKind::unsupported: return 5;
    case ErrorKind::out_of_memory: return 6;
    case ErrorKind::io: return 7;
    case ErrorKind::cancelled: return 130;
    case ErrorKind::internal: return 70;
  }
  return 70;
}

}  // namespace mxdit

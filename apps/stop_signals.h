// Ctrl-C, SIGTERM and SIGHUP: the first asks the run to stop, the second ends the program at once.
#pragma once

#include <signal.h>

#include "mxdit/cancel.h"

namespace mxdit::cli {

// Handlers are in place while it lives; only one may live at a time.
class StopSignals {
 public:
  explicit StopSignals(CancelToken* token);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // While one lives, a second signal waits: files under their temporary names are removed first.
  class Hold {
   public:
    Hold();
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
  };

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[3] = {};
};

}  // namespace mxdit::cli

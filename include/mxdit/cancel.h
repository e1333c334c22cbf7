// A flag that another thread or a signal handler raises to stop a run within a step.
#pragma once

#include <atomic>

namespace mxdit {

class CancelToken {
 public:
  void cancel() noexcept { flag_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return flag_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> flag_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "it is raised from signal handlers");
};

}  // namespace mxdit

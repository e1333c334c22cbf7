// Threads for the loops of the CPU back end.
//
// Work is split by output range only, so results never depend on the number of threads. Any thread
// may call; calls from different threads run one after the other; a call from inside a task runs
// the whole range on the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace mxdit {

// Processors that this process may use; at least 1.
int usable_processors();

class ThreadPool {
 public:
  // threads <= 0: one per processor that this process may use.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept;

  // Calls task(begin, end) for disjoint ranges that cover 0..count-1, each at least `grain` long
  // (but for the last), and returns when all are done. Ranges are handed out dynamically. The first
  // exception a task throws is rethrown here.
  void parallel_for(int64_t count, int64_t grain,
                    const std::function<void(int64_t begin, int64_t end)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mxdit

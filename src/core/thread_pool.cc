#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace mxdit {

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

namespace {

thread_local bool inside_task = false;

}  // namespace

struct ThreadPool::State {
  std::vector<std::thread> workers;
  std::mutex call;  // one parallel_for at a time
  std::mutex mutex;
  std::condition_variable wake, done;
  const std::function<void(int64_t, int64_t)>* task = nullptr;
  int64_t count = 0, grain = 1;
  std::atomic<int64_t> next{0};
  int running = 0;
  uint64_t generation = 0;
  bool stopping = false;
  std::exception_ptr error;

  void work() {
    inside_task = true;
    try {
      while (true) {
        const int64_t begin = next.fetch_add(grain);
        if (begin >= count) break;
        (*task)(begin, std::min(count, begin + grain));
      }
    } catch (...) {
      next.store(count);
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
    inside_task = false;
  }

  void loop() {
    uint64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping) return;
      seen = generation;
      lock.unlock();
      work();
      lock.lock();
      if (--running == 0) done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  const int total = threads > 0 ? threads : usable_processors();
  for (int i = 1; i < total; ++i) state_->workers.emplace_back([this] { state_->loop(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::size() const noexcept {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::parallel_for(int64_t count, int64_t grain,
                              const std::function<void(int64_t, int64_t)>& task) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  if (inside_task || state_->workers.empty() || count <= grain) {
    for (int64_t begin = 0; begin < count; begin += grain)
      task(begin, std::min(count, begin + grain));
    return;
  }
  State& s = *state_;
  const std::lock_guard one_call(s.call);
  {
    const std::lock_guard lock(s.mutex);
    s.task = &task;
    s.count = count;
    s.grain = grain;
    s.next.store(0);
    s.error = nullptr;
    s.running = static_cast<int>(s.workers.size());
    ++s.generation;
  }
  s.wake.notify_all();
  s.work();
  std::unique_lock lock(s.mutex);
  s.done.wait(lock, [&] { return s.running == 0; });
  s.task = nullptr;
  if (s.error) std::rethrow_exception(s.error);
}

}  // namespace mxdit

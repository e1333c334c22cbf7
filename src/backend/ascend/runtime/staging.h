// Copies from the host that do not wait: through pinned buffers, which the device reads on its own
// time. A ring of blocks is filled one copy behind the other; when it is full the stream is waited
// for, and every synchronization empties it.
#pragma once

#include <functional>
#include <vector>

#include "backend/ascend/cann/functions.h"

namespace mxdit::ascend {

class Staging {
 public:
  // What a copy needs of the device. `wait` synchronizes the stream and calls passed().
  struct Hooks {
    std::function<void*(size_t bytes)> allocate;                               // pinned; throws
    std::function<void(void*)> free;                                           // never throws
    std::function<void(void* device, const void* pinned, size_t bytes)> copy;  // queues; throws
    std::function<void()> wait;
  };
  static constexpr size_t kBlockBytes = size_t{16} << 20;
  static constexpr size_t kBlocks = 4;

  explicit Staging(Hooks hooks) : hooks_(std::move(hooks)) {}
  ~Staging() { close(); }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Copies `bytes` from host memory, which is free again when this returns.
  void upload(void* device, const void* host, size_t bytes);
  // The stream has passed: all buffers are free.
  void passed() noexcept;
  void close() noexcept;

 private:
  // At least one byte of room; waits when the ring is full.
  void make_room();

  Hooks hooks_;
  std::vector<char*> blocks_;
  size_t block_ = 0, used_ = 0;  // the block being filled, and how far
};

}  // namespace mxdit::ascend

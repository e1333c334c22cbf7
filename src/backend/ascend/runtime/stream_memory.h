// Device memory in the order of one stream: a pool above aclrtMalloc.
//
// aclrtFree does not wait for kernels that use the memory, so nothing is freed while the stream may
// use it. A block that the last Tensor lets go of is reused at once: the work that used it was
// queued on the stream before any work that will. Sizes are rounded up to classes (an eighth at
// most), so that what repeats finds its block again, at the same address; weights, which stay, take
// their exact size.
//
// Blocks come back from any thread and after errors, also after the device is gone: giving one back
// only changes lists. Everything else belongs to the thread that uses the back end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "backend/ascend/cann/abi.h"
#include "core/tensor.h"

namespace mxdit::ascend {

// Where blocks come from: CANN, or a test.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // Null when there is no memory left (207001); throws for any other error.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* block) noexcept = 0;
  // Waits for the stream.
  virtual void synchronize() = 0;
  struct Memory {
    uint64_t free = 0, total = 0;
  };
  virtual Memory memory() noexcept = 0;
};

class StreamMemory {
 public:
  enum class Use { activation, weight };

  explicit StreamMemory(BlockSource& source);
  // close() has to have been called, or nothing is allocated.
  ~StreamMemory();
  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;

  // At least `bytes` (0 too), 64-byte aligned, uninitialised. When none is left it synchronizes,
  // frees idle blocks and tries again; then Error{out_of_memory} with what was asked, free, total.
  std::shared_ptr<Storage> allocate(size_t bytes, Use use = Use::activation);
  Tensor tensor(DType dtype, const Shape& shape, Use use = Use::activation);

  // Frees idle blocks; synchronizes first when there are any.
  void trim();
  // Frees all blocks, in use or not: the stream has passed or is lost. Tensors that still hold one
  // may only let go of it.
  void close() noexcept;
  // Told about each block that is freed for good, before.
  void on_free(std::function<void(const void* block, size_t bytes)> listener);

  uint64_t allocations() const noexcept;      // blocks asked of the source so far
  uint64_t allocated_bytes() const noexcept;  // bytes asked of the source so far
  uint64_t held_bytes() const noexcept;       // at present, in use or idle
  uint64_t idle_bytes() const noexcept;

 private:
  struct Shelf;
  void* take(size_t size);
  std::vector<std::pair<void*, size_t>> take_idle();

  BlockSource& source_;
  std::shared_ptr<Shelf> shelf_;  // shared with the blocks in use
  std::function<void(const void*, size_t)> on_free_;
  uint64_t allocations_ = 0, allocated_bytes_ = 0;
};

}  // namespace mxdit::ascend

// Host memory for tensors and scratch space of the CPU back end.
//
// Blocks are rounded up to size classes (four per power of two) and kept when they come back, since
// a denoising step asks for the same sizes again and fresh pages cost a fault each. A block of up to
// twice the size serves too. Before the pool
// asks the system for more, it frees its idle blocks if they exceed what is in use and 256 MiB; what
// was in use at the last trim(), weights above all, does not count.
// Thread-safe; blocks may outlive the back end.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/tensor.h"

namespace mxdit::cpu {

class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  static std::shared_ptr<MemoryPool> create() { return std::make_shared<MemoryPool>(); }
  ~MemoryPool() { trim(); }

  // A block of at least `bytes`, 64-byte aligned; it returns when the last owner lets go. Throws
  // Error{out_of_memory}.
  std::shared_ptr<Storage> allocate(size_t bytes);
  // Gives all idle blocks back to the system, and what the C library keeps of them.
  void trim() noexcept;
  size_t idle_bytes() const noexcept;

 private:
  void* take(size_t& size);  // raises `size` to that of the block
  void put_back(void* data, size_t size) noexcept;
  void trim_locked() noexcept;

  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> idle_;
  size_t idle_bytes_ = 0, used_bytes_ = 0;
  size_t lasting_bytes_ = 0;  // in use since the last trim(), at most
};

}  // namespace mxdit::cpu

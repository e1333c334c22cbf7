#include "backend/cpu/memory_pool.h"

#include <sys/mman.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace mxdit::cpu {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kAlwaysKept = size_t{256} << 20;  // scratch space of large products
constexpr size_t kAddressSpace = size_t{1} << 47;

size_t size_class(size_t bytes) noexcept {
  if (bytes <= 256) return 256;
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

void* system_allocate(size_t size) noexcept {
  if (size < kHugePage / 2) return std::aligned_alloc(64, size);
  const size_t rounded = (size + kHugePage - 1) / kHugePage * kHugePage;
  void* data = std::aligned_alloc(kHugePage, rounded);
  // Only a hint: fewer TLB misses in the matrix products.
  if (data != nullptr) madvise(data, rounded, MADV_HUGEPAGE);
  return data;
}

}  // namespace

std::shared_ptr<Storage> MemoryPool::allocate(size_t bytes) {
  size_t size = size_class(bytes);
  void* data = bytes < kAddressSpace ? take(size) : nullptr;
  if (data == nullptr)
    fail(ErrorKind::out_of_memory, "[backend] allocation: expected ", bytes, " bytes, got none");
  return std::make_shared<Storage>(
      data, size, [pool = shared_from_this(), data, size] { pool->put_back(data, size); });
}

void* MemoryPool::take(size_t& size) {
  const std::lock_guard lock(mutex_);
  // A larger block rather than another one: what a layer touches stays small, and fresh pages, which
  // cost as much as a pass over them, are rare.
  auto found = idle_.lower_bound(size);
  while (found != idle_.end() && found->second.empty()) ++found;
  void* data = nullptr;
  if (found != idle_.end() && found->first <= 2 * size) {
    data = found->second.back();
    found->second.pop_back();
    size = found->first;
    idle_bytes_ -= size;
  } else {
    if (idle_bytes_ > std::max(used_bytes_ - lasting_bytes_ + size, kAlwaysKept)) trim_locked();
    data = system_allocate(size);
    if (data == nullptr) {
      trim_locked();
      data = system_allocate(size);
    }
  }
  if (data != nullptr) used_bytes_ += size;
  return data;
}

void MemoryPool::put_back(void* data, size_t size) noexcept {
  const std::lock_guard lock(mutex_);
  used_bytes_ -= size;
  lasting_bytes_ = std::min(lasting_bytes_, used_bytes_);
  try {
    idle_[size].push_back(data);
    idle_bytes_ += size;
  } catch (...) {  // no room to remember the block
    std::free(data);
  }
}

void MemoryPool::trim() noexcept {
  {
    const std::lock_guard lock(mutex_);
    trim_locked();
    lasting_bytes_ = used_bytes_;
  }
#if defined(__GLIBC__)
  malloc_trim(0);  // blocks below the library's threshold for mapping, up to 32 MiB, are still its
#endif
}

void MemoryPool::trim_locked() noexcept {
  for (const auto& [size, blocks] : idle_)
    for (void* block : blocks) std::free(block);
  idle_.clear();
  idle_bytes_ = 0;
}

size_t MemoryPool::idle_bytes() const noexcept {
  const std::lock_guard lock(mutex_);
  return idle_bytes_;
}

}  // namespace mxdit::cpu

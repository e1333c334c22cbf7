#include "backend/ascend/runtime/stream_memory.h"

#include <bit>
#include <set>

namespace mxdit::ascend {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kAddressSpace = size_t{1} << 47;

size_t rounded_up(size_t bytes, size_t step) noexcept {
  return (bytes + step - 1) / step * step;
}

size_t class_of(size_t bytes, StreamMemory::Use use) noexcept {
  if (bytes == 0) return kAlignment;
  if (bytes <= 512 || use == StreamMemory::Use::weight) return rounded_up(bytes, kAlignment);
  return rounded_up(bytes, std::bit_floor(bytes - 1) / 8);
}

}  // namespace

// The lists that blocks in use come back to; they share its life.
struct StreamMemory::Shelf {
  std::mutex mutex;
  std::unordered_map<void*, size_t> blocks;  // all, in use or idle
  // By size; the lowest address goes first, so that equal steps get equal addresses.
  std::map<size_t, std::set<void*>> idle;
  uint64_t held = 0, idle_bytes = 0;
  bool closed = false;

  void put_back(void* block, size_t size) noexcept {
    const std::lock_guard lock(mutex);
    if (closed) return;  // freed with all others
    try {
      idle[size].insert(block);
      idle_bytes += size;
    } catch (...) {
      // No room to remember that it is idle: close() frees it.
    }
  }
};

StreamMemory::StreamMemory(BlockSource& source)
    : source_(source), shelf_(std::make_shared<Shelf>()) {}

StreamMemory::~StreamMemory() {
  close();
}

void StreamMemory::on_free(std::function<void(const void*, size_t)> listener) {
  on_free_ = std::move(listener);
}

std::shared_ptr<Storage> StreamMemory::allocate(size_t bytes, Use use) {
  if (bytes >= kAddressSpace)
    fail(ErrorKind::out_of_memory, "[backend] ascend: device memory: expected ", bytes,
         " bytes, got none");
  const size_t size = class_of(bytes, use);
  void* block = take(size);
  if (block == nullptr) {
    trim();
    block = take(size);
  }
  if (block == nullptr) {
    const BlockSource::Memory memory = source_.memory();
    fail(ErrorKind::out_of_memory, "[backend] ascend: device memory: expected ", bytes,
         " bytes, got none: ", memory.free, " of ", memory.total, " bytes are free, ", held_bytes(),
         " are in use by this model");
  }
  return std::make_shared<Storage>(block, size,
                                   [shelf = shelf_, block, size] { shelf->put_back(block, size); });
}

Tensor StreamMemory::tensor(DType dtype, const Shape& shape, Use use) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * element_size(dtype);
  return Tensor(dtype, shape, allocate(bytes, use));
}

// An idle block of that size, else a new one; null when none is left.
void* StreamMemory::take(size_t size) {
  {
    const std::lock_guard lock(shelf_->mutex);
    MXDIT_CHECK(!shelf_->closed, "[backend] ascend: device memory: expected an open device");
    const auto found = shelf_->idle.find(size);
    if (found != shelf_->idle.end() && !found->second.empty()) {
      void* block = *found->second.begin();
      found->second.erase(found->second.begin());
      shelf_->idle_bytes -= size;
      return block;
    }
    // So that remembering the new block cannot fail.
    shelf_->blocks.reserve(shelf_->blocks.size() + 1);
  }
  void* block = source_.allocate(size);
  if (block == nullptr) return nullptr;
  ++allocations_;
  allocated_bytes_ += size;
  const std::lock_guard lock(shelf_->mutex);
  try {
    shelf_->blocks.emplace(block, size);
  } catch (...) {
    source_.free(block);
    throw;
  }
  shelf_->held += size;
  return block;
}

std::vector<std::pair<void*, size_t>> StreamMemory::take_idle() {
  std::vector<std::pair<void*, size_t>> taken;
  const std::lock_guard lock(shelf_->mutex);
  size_t count = 0;
  for (const auto& [size, blocks] : shelf_->idle) count += blocks.size();
  taken.reserve(count);
  for (const auto& [size, blocks] : shelf_->idle)
    for (void* block : blocks) {
      taken.emplace_back(block, size);
      shelf_->blocks.erase(block);
      shelf_->held -= size;
    }
  shelf_->idle.clear();
  shelf_->idle_bytes = 0;
  return taken;
}

void StreamMemory::trim() {
  if (idle_bytes() == 0) return;
  // First: a block that becomes idle while this waits may still be in use by the stream.
  const auto idle = take_idle();
  try {
    source_.synchronize();
  } catch (...) {
    for (const auto& [block, size] : idle) source_.free(block);
    throw;
  }
  for (const auto& [block, size] : idle) {
    if (on_free_) on_free_(block, size);
    source_.free(block);
  }
}

void StreamMemory::close() noexcept {
  std::unordered_map<void*, size_t> blocks;
  {
    const std::lock_guard lock(shelf_->mutex);
    if (shelf_->closed) return;
    shelf_->closed = true;
    blocks.swap(shelf_->blocks);
    shelf_->idle.clear();
    shelf_->held = shelf_->idle_bytes = 0;
  }
  for (const auto& [block, size] : blocks) source_.free(block);
}

uint64_t StreamMemory::allocations() const noexcept {
  return allocations_;
}
uint64_t StreamMemory::allocated_bytes() const noexcept {
  return allocated_bytes_;
}

uint64_t StreamMemory::held_bytes() const noexcept {
  const std::lock_guard lock(shelf_->mutex);
  return shelf_->held;
}

uint64_t StreamMemory::idle_bytes() const noexcept {
  const std::lock_guard lock(shelf_->mutex);
  return shelf_->idle_bytes;
}

}  // namespace mxdit::ascend

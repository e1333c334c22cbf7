#include "ascend_emulator/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "ascend_emulator/streams.h"

namespace ascend_emulator {

namespace {

constexpr uint64_t kRange = 256ull << 30;
constexpr uint64_t kPage = 4096;
// CANN promises no more than this; more would hide a caller who counts on it.
constexpr uint64_t kAlignment = 64;
constexpr uint64_t kPattern = 32ull << 20;

uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::byte* reserve() {
  void* range =
      mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(range);
}

uint64_t number_of(const void* address) {
  return reinterpret_cast<uint64_t>(address);
}

}  // namespace

Allocation::Allocation() : uses(std::make_unique<Uses>()) {}

Allocation::~Allocation() {
  if (bytes == nullptr) return;
  std::byte* first = bytes - kAlignment;
  mmap(first, round_up(size + kAlignment, kPage), PROT_NONE,
       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void Allocation::erase_nz(uint64_t begin, uint64_t end) {
  std::erase_if(nz, [&](const auto& entry) {
    return entry.first < end && begin < entry.first + entry.second.bytes;
  });
}

DeviceMemory::DeviceMemory() : range_(number_of(reserve())), mirror_(reserve()), next_(kPage) {}

std::shared_ptr<Allocation> DeviceMemory::allocate(uint64_t size, int device, uint64_t limit) {
  if (size > limit || used_[device] + round_up(size, 32) > limit) return nullptr;
  const uint64_t rounded = round_up(size, 32);
  const uint64_t offset = place(rounded);
  if (offset == 0) return nullptr;
  std::byte* first = mirror_ + offset;
  const uint64_t pages = round_up(rounded + kAlignment, kPage);
  if (mprotect(first, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
  fill(first, pages);
  auto allocation = std::make_shared<Allocation>();
  allocation->address = range_ + offset + kAlignment;
  allocation->size = rounded;
  allocation->device = device;
  allocation->bytes = first + kAlignment;
  live_.emplace(allocation->address, allocation);
  used_[device] += rounded;
  uint64_t total = 0;
  for (const auto& [id, bytes] : used_) total += bytes;
  peak_ = std::max(peak_, total);
  return allocation;
}

// Page offset of a gap for `bytes` with a guard page behind it, 0 when there is none.
uint64_t DeviceMemory::place(uint64_t bytes) {
  const uint64_t needed = round_up(bytes + kAlignment, kPage) + kPage;
  if (needed > kRange - kPage) return 0;
  if (next_ + needed <= kRange) {
    const uint64_t offset = next_;
    next_ += needed;
    return offset;
  }
  // All addresses were used: end the quarantine, and take the first gap.
  std::erase_if(freed_, [](const auto& entry) { return entry.second.allocation.expired(); });
  std::map<uint64_t, uint64_t> taken;
  for (const auto& [address, freed] : freed_) taken[address] = freed.size;
  for (const auto& [address, allocation] : live_) taken[address] = allocation->size;
  uint64_t offset = kPage;
  for (const auto& [address, size] : taken) {
    const uint64_t start = address - kAlignment - range_;
    if (offset + needed <= start) return offset;
    offset = round_up(address + size - range_, kPage) + kPage;
  }
  return offset + needed <= kRange ? offset : 0;
}

// Large blocks map a file of 0xFF copy-on-write, so that a pool costs memory only where it is used.
void DeviceMemory::fill(std::byte* begin, uint64_t bytes) {
  if (bytes >= kPattern && pattern_ < 0) {
    pattern_ = memfd_create("ascend_emulator_fresh", MFD_CLOEXEC);
    if (pattern_ >= 0 && ftruncate(pattern_, kPattern) == 0) {
      void* file = mmap(nullptr, kPattern, PROT_READ | PROT_WRITE, MAP_SHARED, pattern_, 0);
      if (file != MAP_FAILED) {
        std::memset(file, 0xFF, kPattern);
        munmap(file, kPattern);
      }
    }
  }
  uint64_t done = 0;
  for (; pattern_ >= 0 && done + kPattern <= bytes; done += kPattern) {
    if (mmap(begin + done, kPattern, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, pattern_,
             0) == MAP_FAILED) {
      break;
    }
  }
  std::memset(begin + done, 0xFF, bytes - done);
}

void DeviceMemory::free(const std::shared_ptr<Allocation>& allocation) {
  allocation->freed = true;
  used_[allocation->device] -= allocation->size;
  freed_[allocation->address] = {allocation->size, allocation};
  live_.erase(allocation->address);
}

std::shared_ptr<Allocation> DeviceMemory::find(const void* address, uint64_t bytes) const {
  const uint64_t begin = number_of(address);
  auto after = live_.upper_bound(begin);
  if (after == live_.begin()) return nullptr;
  const std::shared_ptr<Allocation>& allocation = std::prev(after)->second;
  const uint64_t offset = begin - allocation->address;
  return offset <= allocation->size && bytes <= allocation->size - offset ? allocation : nullptr;
}

std::shared_ptr<Allocation> DeviceMemory::find_start(const void* address) const {
  const auto found = live_.find(number_of(address));
  return found == live_.end() ? nullptr : found->second;
}

bool DeviceMemory::is_device(const void* address) const {
  return number_of(address) - range_ < kRange;
}

std::string DeviceMemory::describe(const void* address, uint64_t bytes) const {
  if (!is_device(address)) return "a host pointer";
  const uint64_t begin = number_of(address);
  if (auto after = freed_.upper_bound(begin); after != freed_.begin()) {
    const auto& [start, freed] = *std::prev(after);
    if (begin - start < freed.size) return "freed memory";
  }
  if (auto after = live_.upper_bound(begin); after != live_.begin()) {
    const Allocation& allocation = *std::prev(after)->second;
    const uint64_t offset = begin - allocation.address;
    if (offset < allocation.size) {
      return std::to_string(bytes) + " bytes at offset " + std::to_string(offset) +
             " of an allocation of " + std::to_string(allocation.size) + " bytes";
    }
  }
  return "device memory that nobody allocated";
}

uint64_t DeviceMemory::used(int device) const {
  const auto found = used_.find(device);
  return found == used_.end() ? 0 : found->second;
}

void DeviceMemory::reset_peak() {
  peak_ = 0;
  for (const auto& [id, bytes] : used_) peak_ += bytes;
}

void DeviceMemory::free_all(int device) {
  std::vector<std::shared_ptr<Allocation>> doomed;
  for (const auto& [address, allocation] : live_) {
    if (allocation->device == device) doomed.push_back(allocation);
  }
  for (const auto& allocation : doomed) free(allocation);
}

}  // namespace ascend_emulator

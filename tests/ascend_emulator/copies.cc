#include "ascend_emulator/copies.h"

#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "ascend_emulator/operator.h"
#include "ascend_emulator/state.h"

namespace ascend_emulator {

namespace {

// A range of device memory.
struct Range {
  std::shared_ptr<Allocation> allocation;
  uint64_t offset = 0;
  std::byte* bytes() const { return allocation->bytes + offset; }
};

Range find(const char* what, const void* address, size_t bytes) {
  Lock lock(state().mutex);
  Range range;
  range.allocation = state().memory.find(address, bytes);
  if (!range.allocation) {
    const std::string text = std::string(what) + ": " + state().memory.describe(address, bytes);
    state().broken(text);
    throw KernelFault{ACL_ERROR_RT_AICORE_EXCEPTION, text};
  }
  range.offset = reinterpret_cast<uint64_t>(address) - range.allocation->address;
  return range;
}

void copy_on_device(const Range& dst, const Range& src, size_t bytes) {
  if (dst.allocation == src.allocation) {
    const std::unique_lock running(dst.allocation->running);
    std::memmove(dst.bytes(), src.bytes(), bytes);
  } else {
    // By address, as kernels lock.
    const bool dst_first = dst.allocation->address < src.allocation->address;
    std::unique_lock writer(dst.allocation->running, std::defer_lock);
    std::shared_lock reader(src.allocation->running, std::defer_lock);
    if (dst_first) writer.lock();
    reader.lock();
    if (!dst_first) writer.lock();
    std::memcpy(dst.bytes(), src.bytes(), bytes);
  }
  Lock lock(state().mutex);
  std::vector<std::pair<uint64_t, NzRegion>> moved;
  for (const auto& [offset, region] : src.allocation->nz) {
    if (offset >= src.offset && offset + region.bytes <= src.offset + bytes) {
      moved.emplace_back(offset - src.offset + dst.offset, region);
    }
  }
  dst.allocation->erase_nz(dst.offset, dst.offset + bytes);
  for (const auto& [offset, region] : moved) dst.allocation->nz[offset] = region;
}

// After a write by the host.
void end_nz(const Range& range, size_t bytes) {
  Lock lock(state().mutex);
  range.allocation->erase_nz(range.offset, range.offset + bytes);
}

}  // namespace

void run_copy(const Copy& copy) {
  if (copy.bytes == 0) return;
  if (copy.dst_on_device && copy.src_on_device) {
    const Range dst = find("copy, destination", copy.dst, copy.bytes);
    copy_on_device(dst, find("copy, source", copy.src, copy.bytes), copy.bytes);
  } else if (copy.dst_on_device) {
    const Range dst = find("copy, destination", copy.dst, copy.bytes);
    {
      const std::unique_lock running(dst.allocation->running);
      std::memcpy(dst.bytes(), copy.src, copy.bytes);
    }
    end_nz(dst, copy.bytes);
  } else if (copy.src_on_device) {
    const Range src = find("copy, source", copy.src, copy.bytes);
    const std::shared_lock running(src.allocation->running);
    std::memcpy(copy.dst, src.bytes(), copy.bytes);
  } else {
    std::memmove(copy.dst, copy.src, copy.bytes);
  }
}

void run_fill(void* pointer, int value, size_t bytes) {
  if (bytes == 0) return;
  const Range range = find("fill", pointer, bytes);
  {
    const std::unique_lock running(range.allocation->running);
    std::memset(range.bytes(), value, bytes);
  }
  end_nz(range, bytes);
}

}  // namespace ascend_emulator

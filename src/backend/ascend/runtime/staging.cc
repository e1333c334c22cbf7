#include "backend/ascend/runtime/staging.h"

#include <algorithm>
#include <cstring>

namespace mxdit::ascend {
namespace {
constexpr size_t kAlignment = 64;
}

void Staging::upload(void* device, const void* host, size_t bytes) {
  auto* to = static_cast<char*>(device);
  const auto* from = static_cast<const char*>(host);
  while (bytes > 0) {
    make_room();
    const size_t piece = std::min(bytes, kBlockBytes - used_);
    char* pinned = blocks_[block_] + used_;
    std::memcpy(pinned, from, piece);
    hooks_.copy(to, pinned, piece);
    used_ = std::min(kBlockBytes, (used_ + piece + kAlignment - 1) / kAlignment * kAlignment);
    to += piece;
    from += piece;
    bytes -= piece;
  }
}

void Staging::make_room() {
  if (!blocks_.empty() && used_ < kBlockBytes) return;
  if (!blocks_.empty() && block_ + 1 == kBlocks) {
    hooks_.wait();  // the ring is full
    return;
  }
  const size_t next = blocks_.empty() ? 0 : block_ + 1;
  if (next == blocks_.size()) {
    blocks_.reserve(kBlocks);
    blocks_.push_back(static_cast<char*>(hooks_.allocate(kBlockBytes)));
  }
  block_ = next;
  used_ = 0;
}

void Staging::passed() noexcept {
  block_ = used_ = 0;
}

void Staging::close() noexcept {
  for (char* block : blocks_) hooks_.free(block);
  blocks_.clear();
  passed();
}

}  // namespace mxdit::ascend

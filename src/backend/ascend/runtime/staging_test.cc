#include "backend/ascend/runtime/staging.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace mxdit::ascend {
namespace {

struct Piece {
  void* device;
  const void* pinned;
  size_t bytes;
};

// A device that copies only when it is waited for.
class StagingTest : public testing::Test {
 protected:
  Staging::Hooks hooks() {
    Staging::Hooks hooks;
    hooks.allocate = [this](size_t bytes) {
      ++live_;
      return std::aligned_alloc(64, bytes);
    };
    hooks.free = [this](void* block) {
      --live_;
      std::free(block);
    };
    hooks.copy = [this](void* device, const void* pinned, size_t bytes) {
      queued_.push_back({device, pinned, bytes});
    };
    hooks.wait = [this] {
      ++waits_;
      run();
      staging_->passed();
    };
    return hooks;
  }
  void run() {
    for (const Piece& piece : queued_) std::memcpy(piece.device, piece.pinned, piece.bytes);
    queued_.clear();
  }

  int live_ = 0, waits_ = 0;
  std::vector<Piece> queued_;
  std::unique_ptr<Staging> staging_ = std::make_unique<Staging>(hooks());
};

TEST_F(StagingTest, CopiesKeepTheirBytesUntilTheDeviceHasRead) {
  std::vector<int> device(1000), host(1000);
  for (int i = 0; i < 10; ++i) {
    std::fill(host.begin(), host.end(), i);
    staging_->upload(device.data() + 100 * i, host.data(), 100 * sizeof(int));
  }
  std::fill(host.begin(), host.end(), -1);
  EXPECT_EQ(waits_, 0);
  run();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(device[static_cast<size_t>(i)], i / 100);
}

TEST_F(StagingTest, MoreThanTheRingWaitsAndArrives) {
  std::vector<uint32_t> host(Staging::kBlockBytes * (Staging::kBlocks + 2) / 4 + 3), device;
  std::iota(host.begin(), host.end(), 7u);
  device.resize(host.size());
  staging_->upload(device.data(), host.data(), host.size() * 4);
  EXPECT_EQ(waits_, 1);
  EXPECT_EQ(live_, static_cast<int>(Staging::kBlocks));
  run();
  EXPECT_EQ(device, host);
}

TEST_F(StagingTest, SynchronizingEmptiesTheRing) {
  std::vector<char> host(Staging::kBlockBytes), device(host.size());
  for (int i = 0; i < 20; ++i) {
    staging_->upload(device.data(), host.data(), host.size());
    run();
    staging_->passed();
  }
  EXPECT_EQ(waits_, 0);
  EXPECT_EQ(live_, 1);
}

TEST_F(StagingTest, BuffersAreGivenBackOnce) {
  char byte = 1, device = 0;
  staging_->upload(&device, &byte, 1);
  staging_->upload(&device, &byte, 0);
  EXPECT_EQ(queued_.size(), 1u);
  staging_->close();
  EXPECT_EQ(live_, 0);
  staging_.reset();
  EXPECT_EQ(live_, 0);
}

}  // namespace
}  // namespace mxdit::ascend

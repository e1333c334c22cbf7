#include "backend/ascend/runtime/stream_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

namespace mxdit::ascend {
namespace {

// Counts what is taken, and knows in which order things happen.
class FakeSource final : public BlockSource {
 public:
  uint64_t room = uint64_t{1} << 40;
  std::vector<std::string> log;
  std::map<void*, size_t> taken;
  bool lost = false;

  ~FakeSource() override { EXPECT_TRUE(taken.empty()) << "blocks that were never freed"; }
  void* allocate(size_t bytes) override {
    EXPECT_EQ(bytes % 64, 0u);
    if (bytes > room) return nullptr;
    room -= bytes;
    void* block = std::aligned_alloc(64, bytes);
    taken[block] = bytes;
    log.push_back("allocate " + std::to_string(bytes));
    return block;
  }
  void free(void* block) noexcept override {
    ASSERT_TRUE(taken.contains(block));
    room += taken[block];
    taken.erase(block);
    std::free(block);
    log.push_back("free");
  }
  void synchronize() override {
    log.push_back("synchronize");
    if (lost) fail(ErrorKind::internal, "the device is lost");
  }
  Memory memory() noexcept override { return {room, 1000}; }
};

class StreamMemoryTest : public testing::Test {
 protected:
  FakeSource source_;
  StreamMemory memory_{source_};
};

TEST_F(StreamMemoryTest, ABlockIsReusedAtOnceWithoutAnyCall) {
  const void* first = memory_.allocate(5000)->data();
  EXPECT_EQ(memory_.allocate(5000)->data(), first);
  EXPECT_EQ(memory_.allocate(4900)->data(), first) << "the same class";
  EXPECT_EQ(source_.log.size(), 1u);
  EXPECT_EQ(memory_.allocations(), 1u);
}

TEST_F(StreamMemoryTest, BlocksInUseAreNotShared) {
  std::set<void*> seen;
  std::vector<std::shared_ptr<Storage>> kept;
  for (int i = 0; i < 8; ++i) {
    kept.push_back(memory_.allocate(100));
    seen.insert(kept.back()->data());
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST_F(StreamMemoryTest, EqualWorkGetsEqualAddressesWhateverTheOrderOfRelease) {
  const auto step = [&](bool reversed) {
    std::vector<std::shared_ptr<Storage>> blocks;
    std::vector<void*> addresses;
    for (int i = 0; i < 6; ++i) {
      blocks.push_back(memory_.allocate(1000));
      addresses.push_back(blocks.back()->data());
    }
    if (reversed) std::reverse(blocks.begin(), blocks.end());
    for (auto& block : blocks) block.reset();
    return addresses;
  };
  step(false);
  const auto second = step(true);
  EXPECT_EQ(step(false), second);
  EXPECT_EQ(step(true), second);
}

TEST_F(StreamMemoryTest, ClassesWasteAnEighthAtMostAndWeightsNothing) {
  for (const size_t bytes : {1u, 64u, 513u, 1025u, 100001u, 33554433u}) {
    const size_t got = memory_.allocate(bytes)->bytes();
    EXPECT_GE(got, bytes);
    EXPECT_LE(got, std::max<size_t>(bytes + 63, bytes + bytes / 8 + 1)) << bytes;
    EXPECT_LT(memory_.allocate(bytes, StreamMemory::Use::weight)->bytes(), bytes + 64);
  }
  EXPECT_GT(memory_.allocate(0)->bytes(), 0u);
}

TEST_F(StreamMemoryTest, NothingIsFreedBeforeTheStreamHasPassed) {
  std::vector<size_t> heard;
  memory_.on_free([&](const void*, size_t bytes) { heard.push_back(bytes); });
  auto kept = memory_.allocate(64);
  memory_.allocate(128);
  source_.log.clear();
  memory_.trim();
  EXPECT_THAT(source_.log, testing::ElementsAre("synchronize", "free"));
  EXPECT_THAT(heard, testing::ElementsAre(128u));
  source_.log.clear();
  memory_.trim();
  EXPECT_TRUE(source_.log.empty()) << "nothing idle: nothing to wait for";
}

TEST_F(StreamMemoryTest, WithoutMemoryIdleBlocksAreGivenBackFirst) {
  source_.room = 1024;
  memory_.allocate(960);
  source_.log.clear();
  EXPECT_GE(memory_.allocate(512)->bytes(), 512u);
  EXPECT_THAT(source_.log, testing::ElementsAre("synchronize", "free", "allocate 512"));
}

TEST_F(StreamMemoryTest, OutOfMemorySaysHowMuchThereIs) {
  source_.room = 256;
  const auto kept = memory_.allocate(128);
  try {
    memory_.allocate(4000);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    EXPECT_STREQ(error.what(),
                 "[backend] ascend: device memory: expected 4000 bytes, got none: 128 of 1000 "
                 "bytes are free, 128 are in use by this model");
  }
  EXPECT_GE(memory_.allocate(64)->bytes(), 64u) << "smaller blocks are still to be had";
}

TEST_F(StreamMemoryTest, ALostDeviceStillFreesEverything) {
  auto kept = memory_.allocate(64);
  memory_.allocate(128);
  source_.lost = true;
  EXPECT_THROW(memory_.trim(), Error);
  memory_.close();
  EXPECT_TRUE(source_.taken.empty());
  kept.reset();  // of the closed pool
  EXPECT_THROW(memory_.allocate(64), Error);
}

TEST_F(StreamMemoryTest, BlocksComeBackFromOtherThreads) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([block = memory_.allocate(4096)]() mutable { block.reset(); });
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_LE(memory_.allocations(), 4u);
  EXPECT_EQ(memory_.idle_bytes(), memory_.held_bytes());
}

TEST(StreamMemoryLife, TensorsMayOutliveThePool) {
  FakeSource source;
  Tensor kept;
  {
    StreamMemory memory(source);
    kept = memory.tensor(DType::f32, {3, 4});
  }
  EXPECT_TRUE(source.taken.empty());
  kept = Tensor();
}

}  // namespace
}  // namespace mxdit::ascend

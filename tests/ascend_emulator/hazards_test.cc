// Accesses that nothing orders are found whatever the threads do. Each test is a caller that is
// wrong in one way, or one that only looks it.
#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

class HazardsTest : public EmulatorTest {
 protected:
  HazardsTest() {
    for (aclrtStream* stream : {&a_, &b_, &c_}) EXPECT_EQ(aclrtCreateStream(stream), 0);
    for (aclrtEvent* event : {&first_, &second_}) EXPECT_EQ(aclrtCreateEvent(event), 0);
    memory_ = static_cast<char*>(upload(Values(64, 1)));
    x_ = tensor(memory_, {8});
  }
  // Work that reads `x` on a stream.
  void read(aclTensor* x, aclrtStream stream) {
    EXPECT_EQ(run(kNoWorkspaceAddOne, x, tensor(device_memory(32), {8}), stream), 0);
  }
  // Work that writes `y` on a stream.
  void write(aclTensor* y, aclrtStream stream) {
    EXPECT_EQ(run(kNoWorkspaceAddOne, tensor(upload(Values(8, 2)), {8}), y, stream), 0);
  }

  aclrtStream a_ = nullptr;
  aclrtStream b_ = nullptr;
  aclrtStream c_ = nullptr;
  aclrtEvent first_ = nullptr;
  aclrtEvent second_ = nullptr;
  char* memory_ = nullptr;
  aclTensor* x_ = nullptr;
};

TEST_F(HazardsTest, AReadInAnotherStreamWithoutEvent) {
  write(x_, a_);
  read(x_, b_);
  EXPECT_THAT(broken_rules(),
              HasSubstr("aclnnTestNoWorkspace: bytes 0 to 32 of an allocation of 256 are "
                        "read while another stream uses them, with no event between"));
}

TEST_F(HazardsTest, AWriteInAnotherStreamWithoutEvent) {
  read(x_, a_);
  write(x_, b_);
  EXPECT_THAT(broken_rules(), HasSubstr("are written while another stream uses them"));
}

TEST_F(HazardsTest, TheDefaultStreamIsAStreamLikeOthers) {
  write(x_, nullptr);
  read(x_, a_);
  EXPECT_THAT(broken_rules(), HasSubstr("no event between"));
}

TEST_F(HazardsTest, AnEventOrders) {
  write(x_, a_);
  ASSERT_EQ(aclrtRecordEvent(first_, a_), 0);
  ASSERT_EQ(aclrtStreamWaitEvent(b_, first_), 0);
  read(x_, b_);
  EXPECT_EQ(broken_rules(), "");
}

TEST_F(HazardsTest, AnEventThatWasRecordedTooEarly) {
  ASSERT_EQ(aclrtRecordEvent(first_, a_), 0);
  write(x_, a_);
  ASSERT_EQ(aclrtStreamWaitEvent(b_, first_), 0);
  read(x_, b_);
  EXPECT_THAT(broken_rules(), HasSubstr("no event between"));
}

TEST_F(HazardsTest, AnEventThatIsWaitedForTooLate) {
  write(x_, a_);
  ASSERT_EQ(aclrtRecordEvent(first_, a_), 0);
  read(x_, b_);
  ASSERT_EQ(aclrtStreamWaitEvent(b_, first_), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("no event between"));
}

TEST_F(HazardsTest, EventsOrderThroughAThirdStream) {
  write(x_, a_);
  ASSERT_EQ(aclrtRecordEvent(first_, a_), 0);
  ASSERT_EQ(aclrtStreamWaitEvent(b_, first_), 0);
  ASSERT_EQ(aclrtRecordEvent(second_, b_), 0);
  ASSERT_EQ(aclrtStreamWaitEvent(c_, second_), 0);
  write(x_, c_);
  EXPECT_EQ(broken_rules(), "");
  read(x_, b_);
  EXPECT_THAT(broken_rules(), HasSubstr("no event between"));
}

TEST_F(HazardsTest, AHostThatWaitsOrders) {
  write(x_, a_);
  ASSERT_EQ(aclrtSynchronizeStream(a_), 0);
  read(x_, b_);
  EXPECT_EQ(broken_rules(), "");
}

TEST_F(HazardsTest, ReadsNeedNoOrder) {
  read(x_, a_);
  read(x_, b_);
  EXPECT_EQ(broken_rules(), "");
}

TEST_F(HazardsTest, OtherBytesNeedNoOrder) {
  write(x_, a_);
  write(tensor(memory_ + 32, {8}), b_);
  EXPECT_EQ(broken_rules(), "");
  EXPECT_EQ(
      run(kNoWorkspaceAddOne, tensor(memory_ + 32, {16}), tensor(device_memory(64), {16}), a_), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("bytes 32 to 96"));
}

TEST_F(HazardsTest, AWorkspaceOfTwoStreams) {
  void* workspace = device_memory(96);
  aclTensor* y = tensor(memory_ + 64, {8});
  EXPECT_EQ(kAddOne.launch(workspace, 96, planned(kAddOne, x_, x_), a_), 0);
  EXPECT_EQ(kAddOne.launch(workspace, 96, planned(kAddOne, y, y), b_), 0);
  EXPECT_THAT(broken_rules(),
              HasSubstr("aclnnTestAddOne: bytes 0 to 96 of an allocation of 96 are written"));
}

TEST_F(HazardsTest, AsynchronousCopiesAndFillsCount) {
  void* other = device_memory(256);
  EXPECT_EQ(aclrtMemsetAsync(memory_, 32, 0, 32, a_), 0);
  EXPECT_EQ(aclrtMemcpyAsync(other, 256, memory_, 64, ACL_MEMCPY_DEVICE_TO_DEVICE, b_), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("aclrtMemcpyAsync: bytes 0 to 64"));
}

TEST_F(HazardsTest, AHostCopyOfWhatIsStillWritten) {
  write(x_, a_);
  download(memory_, 8);
  EXPECT_THAT(broken_rules(),
              HasSubstr("aclrtMemcpy: bytes 0 to 32 of an allocation of 256 are read by the "
                        "host while queued work uses them"));
  EXPECT_EQ(aclFinalize(), ACL_ERROR_INTERNAL_ERROR);
}

TEST_F(HazardsTest, AHostCopyOverWhatIsStillRead) {
  read(x_, a_);
  const Values values(8, 3);
  EXPECT_EQ(aclrtMemcpy(memory_, 32, values.data(), 32, ACL_MEMCPY_HOST_TO_DEVICE), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("are written by the host"));
}

TEST_F(HazardsTest, AHostFillOverWhatIsStillRead) {
  read(x_, a_);
  EXPECT_EQ(aclrtMemset(memory_, 32, 0, 32), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("aclrtMemset: bytes 0 to 32"));
}

TEST_F(HazardsTest, AHostCopyAfterASynchronizationOrOfOtherBytes) {
  read(x_, a_);
  download(memory_, 8);
  write(x_, a_);
  download(memory_ + 32, 8);
  ASSERT_EQ(aclrtSynchronizeDevice(), 0);
  download(memory_, 8);
  EXPECT_EQ(broken_rules(), "");
}

}  // namespace
}  // namespace ascend_emulator

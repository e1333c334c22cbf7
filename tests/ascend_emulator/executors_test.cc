// The two phases. Each test is a caller that is wrong in one way.
#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

class ExecutorsTest : public EmulatorTest {
 protected:
  ExecutorsTest()
      : memory_(upload({1, 2})), x_(tensor(memory_, {2})), workspace_(device_memory(96)) {}

  void* memory_;
  aclTensor* x_;
  void* workspace_;
};

TEST_F(ExecutorsTest, NullPointersOfPhase1Are161001) {
  uint64_t size = 77;
  aclOpExecutor* executor = nullptr;
  EXPECT_EQ(kAddOne.plan(nullptr, x_, &size, &executor), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_THAT(message(), HasSubstr("aclnnTestAddOne: x: expected a tensor, got null"));
  EXPECT_EQ(kAddOne.plan(x_, x_, nullptr, &executor), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(kAddOne.plan(x_, x_, &size, nullptr), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(size, 77u);
  EXPECT_EQ(executor, nullptr);
}

TEST_F(ExecutorsTest, NullPointersOfPhase2Are161001) {
  EXPECT_EQ(kAddOne.launch(workspace_, 96, nullptr, nullptr), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(kAddOne.launch(nullptr, 96, planned(kAddOne, x_, x_), nullptr),
            ACLNN_ERR_PARAM_NULLPTR);
}

TEST_F(ExecutorsTest, APhaseWithoutDeviceIs361001) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  ASSERT_EQ(aclrtFree(memory_), 0);
  ASSERT_EQ(aclrtFree(workspace_), 0);
  ASSERT_EQ(aclrtResetDevice(0), 0);
  uint64_t size = 0;
  EXPECT_EQ(kAddOne.plan(x_, x_, &size, &executor), ACLNN_ERR_RUNTIME_ERROR);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), ACLNN_ERR_RUNTIME_ERROR);
  EXPECT_THAT(message(), HasSubstr("107002"));
}

TEST_F(ExecutorsTest, AnExecutorIsUsedOnce) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_THAT(message(), HasSubstr("the executor was used or destroyed before"));
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(download(memory_, 2), (Values{2, 3})) << "ran once";
  EXPECT_EQ(aclDestroyAclOpExecutor(executor), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(aclFinalize(), ACL_ERROR_INTERNAL_ERROR);
}

TEST_F(ExecutorsTest, ARepeatableExecutorIsUsedUntilItIsDestroyed) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(download(memory_, 2), (Values{4, 5}));
  EXPECT_EQ(aclDestroyAclOpExecutor(executor), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_EQ(aclDestroyAclOpExecutor(executor), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(aclDestroyAclOpExecutor(nullptr), ACLNN_ERR_PARAM_NULLPTR);
}

TEST_F(ExecutorsTest, ARepeatableExecutorThatIsNotDestroyedLeaks) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(aclFinalize(), ACL_ERROR_INTERNAL_ERROR);
  EXPECT_THAT(message(), HasSubstr("1 x executor of aclnnTestAddOne, repeatable, never destroyed"));
}

TEST_F(ExecutorsTest, RepeatableIsSetRightAfterPhase1) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), 0);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_THAT(broken_rules(), HasSubstr("called after the second phase"));
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(nullptr), ACLNN_ERR_PARAM_NULLPTR);
  aclOpExecutor* single = planned(kAddOne, x_, x_);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, single, nullptr), 0);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(single), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(ExecutorsTest, NotEveryOperatorRepeats) {
  aclOpExecutor* executor = planned(kGeneratedAddOne, x_, tensor(device_memory(8), {2}));
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_THAT(message(), HasSubstr("aclnnTestGenerated cannot repeat"));
}

TEST_F(ExecutorsTest, AnExecutorOfAnotherOperatorIs561101) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(kGeneratedAddOne.launch(workspace_, 96, executor, nullptr),
            ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_THAT(message(), HasSubstr("the executor was made by aclnnTestAddOneGetWorkspaceSize"));
  EXPECT_EQ(kAddOne.launch(workspace_, 96, reinterpret_cast<aclOpExecutor*>(x_), nullptr),
            ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_THAT(broken_rules(), HasSubstr("the handle is no executor"));
}

TEST_F(ExecutorsTest, ARepeatableExecutorNeedsItsTensors) {
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(aclDestroyTensor(x_), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), ACLNN_ERR_INNER_CREATE_EXECUTOR);
}

TEST_F(ExecutorsTest, AGeneratedOperatorChecksTheSizeOfItsWorkspace) {
  aclTensor* y = tensor(device_memory(8), {2});
  EXPECT_EQ(kGeneratedAddOne.launch(workspace_, 95, planned(kGeneratedAddOne, x_, y), nullptr),
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("workspace: expected 96 bytes, got 95"));
  EXPECT_EQ(kGeneratedAddOne.launch(nullptr, 0, planned(kGeneratedAddOne, x_, y), nullptr),
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(kGeneratedAddOne.launch(workspace_, 96, planned(kGeneratedAddOne, x_, y), nullptr), 0);
  EXPECT_EQ(broken_rules(), "") << "the device reports this itself";
}

TEST_F(ExecutorsTest, AHandWrittenOperatorWithTooLittleWorkspaceFailsLater) {
  void* small = device_memory(64);
  EXPECT_EQ(kAddOne.launch(small, 64, planned(kAddOne, x_, x_), nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(),
              HasSubstr("workspace: lies in 96 bytes at offset 0 of an allocation of 64 bytes"));
}

TEST_F(ExecutorsTest, AHandWrittenOperatorWithoutWorkspaceFailsLater) {
  EXPECT_EQ(kAddOne.launch(nullptr, 0, planned(kAddOne, x_, x_), nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(), HasSubstr("workspace: expected 96 bytes, got none"));
}

TEST_F(ExecutorsTest, TheWorkspaceIsLiveDeviceMemoryOfItsSize) {
  char host[96];
  EXPECT_EQ(kAddOne.launch(host, 96, planned(kAddOne, x_, x_), nullptr), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("workspace: a host pointer"));
  EXPECT_EQ(kAddOne.launch(workspace_, 97, planned(kAddOne, x_, x_), nullptr),
            ACLNN_ERR_PARAM_INVALID);
  auto* odd = static_cast<char*>(device_memory(256)) + 16;
  EXPECT_EQ(kAddOne.launch(odd, 96, planned(kAddOne, x_, x_), nullptr), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("not a multiple of 32 bytes"));
  ASSERT_EQ(aclrtFree(workspace_), 0);
  EXPECT_EQ(kAddOne.launch(workspace_, 96, planned(kAddOne, x_, x_), nullptr),
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("workspace: lies in freed memory"));
}

TEST_F(ExecutorsTest, TheWorkspaceMustNotOverlapOperands) {
  void* memory = device_memory(256);
  aclTensor* y = tensor(static_cast<char*>(memory) + 64, {2});
  EXPECT_EQ(kAddOne.launch(memory, 96, planned(kAddOne, x_, y), nullptr), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("workspace: overlaps y"));
}

TEST_F(ExecutorsTest, TheWorkspaceLosesItsBytesInEveryRun) {
  ASSERT_EQ(aclrtMemset(workspace_, 96, 0, 96), 0);
  aclOpExecutor* executor = planned(kAddOne, x_, x_);
  EXPECT_EQ(aclSetAclOpExecutorRepeatable(executor), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(kAddOne.launch(workspace_, 96, executor, nullptr), 0);
    EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
    unsigned char seen[96];
    ASSERT_EQ(aclrtMemcpy(seen, 96, workspace_, 96, ACL_MEMCPY_DEVICE_TO_HOST), 0);
    EXPECT_EQ(std::count(seen, seen + 96, 0xFF), 96);
    ASSERT_EQ(aclrtMemset(workspace_, 96, 0, 96), 0);
  }
}

TEST_F(ExecutorsTest, AWorkspaceFreedEarlyIs507015) {
  EXPECT_EQ(kAddOne.launch(workspace_, 96, planned(kAddOne, x_, x_), nullptr), 0);
  EXPECT_EQ(aclrtFree(workspace_), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(), HasSubstr("workspace: lies in freed memory"));
}

TEST_F(ExecutorsTest, APhase2ThatFailsUsesTheExecutorUpAsWell) {
  aclOpExecutor* executor = planned(kGeneratedAddOne, x_, tensor(device_memory(8), {2}));
  EXPECT_EQ(kGeneratedAddOne.launch(workspace_, 8, executor, nullptr), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(kGeneratedAddOne.launch(workspace_, 96, executor, nullptr),
            ACLNN_ERR_INNER_CREATE_EXECUTOR);
}

TEST_F(ExecutorsTest, AnExecutorThatIsNotUsedIsDestroyedOrLeaks) {
  EXPECT_EQ(aclDestroyAclOpExecutor(planned(kAddOne, x_, x_)), 0);
  EXPECT_EQ(broken_rules(), "");
}

TEST_F(ExecutorsTest, ChecksOfTheOperatorRunInOrderAndNameTheArgument) {
  aclTensor* half = tensor(memory_, {2}, ACL_FLOAT16);
  EXPECT_EQ(run(kAddOne, half, tensor(memory_, {1})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("aclnnTestAddOne: x: expected FLOAT, got FLOAT16"));
  EXPECT_EQ(run(kAddOne, x_, tensor(memory_, {1})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("aclnnTestAddOne: y: expected [2], got [1]"));
}

TEST_F(ExecutorsTest, CallsAreCountedByName) {
  emulator()->reset_counters();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(run(kAddOne, x_, x_), 0);
  planned(kNoWorkspaceAddOne, x_, tensor(device_memory(8), {2}));
  EXPECT_EQ(emulator()->counter("aclnnTestAddOne"), 3u);
  EXPECT_EQ(emulator()->counter("aclnnTestAddOneGetWorkspaceSize"), 3u);
  EXPECT_EQ(emulator()->counter("operators"), 3u);
  EXPECT_EQ(emulator()->counter("plans"), 4u);
  EXPECT_EQ(emulator()->counter("kernels"), 0u);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(emulator()->counter("kernels"), 3u);
}

}  // namespace
}  // namespace ascend_emulator

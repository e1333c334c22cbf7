// Faults that are asked for: each ends in its code, its message, and nothing else.
#include <cstdlib>

#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

class FaultsTest : public EmulatorTest {};

TEST_F(EmulatorStart, AclInitFailsWithTheStatusAskedFor) {
  set("init_fails", "507000");
  EXPECT_EQ(aclInit(nullptr), 507000);
  EXPECT_THAT(message(), HasSubstr("the driver did not answer"));
  set("init_fails", "0");
  EXPECT_EQ(aclInit(nullptr), 0);
}

TEST_F(EmulatorStart, NoDevices) {
  set("devices", "0");
  ASSERT_EQ(aclInit(nullptr), 0);
  uint32_t count = 7;
  EXPECT_EQ(aclrtGetDeviceCount(&count), 0);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(aclrtSetDevice(0), ACL_ERROR_RT_INVALID_DEVICEID);
}

TEST_F(EmulatorStart, SettingsComeFromTheEnvironment) {
  setenv("ASCEND_EMULATOR_DEVICES", "5", 1);
  EXPECT_EQ(aclInit(nullptr), 0);
  unsetenv("ASCEND_EMULATOR_DEVICES");
  uint32_t count = 0;
  EXPECT_EQ(aclrtGetDeviceCount(&count), 0);
  EXPECT_EQ(count, 5u);
}

TEST_F(EmulatorStart, AnUnknownSettingOfTheEnvironmentFails) {
  setenv("ASCEND_EMULATOR_DEVISES", "5", 1);
  EXPECT_EQ(aclInit(nullptr), ACL_ERROR_INVALID_PARAM);
  unsetenv("ASCEND_EMULATOR_DEVISES");
  EXPECT_THAT(message(), HasSubstr("no setting is called devises"));
}

TEST_F(EmulatorStart, SettingsAreReadStrictly) {
  const AscendEmulator* all = emulator();
  EXPECT_EQ(all->set("memory", "1k"), -1);
  EXPECT_EQ(all->set("memory", ""), -1);
  EXPECT_EQ(all->set("start", "soon"), -1);
  EXPECT_EQ(all->set("kernel_fails", "aclnnAdd:0"), -1);
  EXPECT_EQ(all->set("kernel_fails", "aclnnAdd:1:2"), -1);
  EXPECT_EQ(all->set("plan_fails", "aclnnAdd"), -1);
  EXPECT_EQ(all->set("host_nz", "2"), -1);
  EXPECT_EQ(all->set("nothing", "1"), -1);
  EXPECT_EQ(all->set(nullptr, "1"), -1);
}

TEST_F(FaultsTest, TheNthMallocFails) {
  set("malloc_fails", "2");
  device_memory(64);
  void* pointer = nullptr;
  EXPECT_EQ(aclrtMalloc(&pointer, 64, 0), ACL_ERROR_RT_MEMORY_ALLOCATION);
  EXPECT_EQ(pointer, nullptr);
  EXPECT_THAT(message(), HasSubstr("aclrtMalloc: no memory for 64 bytes"));
  EXPECT_EQ(aclrtMalloc(&pointer, 64, 0), 0) << "once";
}

TEST_F(FaultsTest, AFirstPhaseFailsWithTheStatusAskedFor) {
  aclTensor* x = tensor(upload({1}), {1});
  set("plan_fails", "aclnnTestAddOne:561112:2");
  EXPECT_EQ(run(kAddOne, x, x), 0);
  EXPECT_EQ(run(kAddOne, x, x), ACLNN_ERR_INNER_OPP_KERNEL_PKG_NOT_FOUND);
  EXPECT_THAT(message(), HasSubstr("aclnnTestAddOne: the first phase failed"));
  EXPECT_EQ(run(kAddOne, x, x), 0);
}

TEST_F(FaultsTest, AFailingKernelIsSeenAtTheNextSync) {
  set("kernel_fails", "aclnnTestAddOne:2");
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(kAddOne, x, x), 0) << "launching is no failure";
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(), HasSubstr("aclnnTestAddOne: the AI core raised an exception"));
  EXPECT_EQ(emulator()->counter("kernels"), 2u) << "what comes later does not run";
  EXPECT_EQ(broken_rules(), "") << "not the caller's fault";
}

TEST_F(FaultsTest, AfterAFailureEverythingMayBeTakenDown) {
  set("kernel_fails", "*:1");
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  aclrtStream other = nullptr;
  ASSERT_EQ(aclrtCreateStream(&other), 0);
  aclTensor* y = tensor(device_memory(4), {1});
  EXPECT_EQ(run(kAddOne, x, x), 0);
  EXPECT_EQ(run(kAddOne, y, y, other), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(aclDestroyTensor(x), 0);
  EXPECT_EQ(aclDestroyTensor(y), 0);
  EXPECT_EQ(aclrtDestroyStream(other), 0);
  EXPECT_EQ(broken_rules(), "");
}

TEST_F(FaultsTest, AFailingKernelIsSeenByABlockingCopy) {
  set("kernel_fails", "*:1");
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  EXPECT_EQ(run(kAddOne, x, x), 0);
  float value = 7;
  EXPECT_EQ(aclrtMemcpyAsync(&value, 4, memory, 4, ACL_MEMCPY_DEVICE_TO_HOST, nullptr),
            ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(value, 7);
}

TEST_F(FaultsTest, ACallerWhoResetsTheDeviceGoesOn) {
  set("kernel_fails", "*:1");
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  void* workspace = device_memory(96);
  EXPECT_EQ(kAddOne.launch(workspace, 96, planned(kAddOne, x, x), nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(aclDestroyTensor(x), 0);
  EXPECT_EQ(aclrtFree(memory), 0);
  EXPECT_EQ(aclrtFree(workspace), 0);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  EXPECT_EQ(aclrtSetDevice(0), 0);
  EXPECT_EQ(aclrtSynchronizeDevice(), 0);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  EXPECT_EQ(aclFinalize(), 0) << message();
}

TEST_F(FaultsTest, AnotherSocLacksTheOperatorsOfA5) {
  aclTensor* x = tensor(upload({1}), {1});
  aclTensor* y = tensor(device_memory(4), {1});
  EXPECT_STREQ(aclrtGetSocName(), "Ascend950PR_9599");
  set("soc", "Ascend910B3");
  EXPECT_STREQ(aclrtGetSocName(), "Ascend910B3");
  EXPECT_EQ(run(kGeneratedAddOne, nullptr, y), ACLNN_ERR_INNER_FIND_KERNEL_ERROR) << "before null";
  EXPECT_THAT(message(), HasSubstr("expected an Ascend950, got Ascend910B3"));
  EXPECT_EQ(run(kAddOne, x, y), 0);
  set("soc", "Ascend910_9599");
  EXPECT_EQ(run(kGeneratedAddOne, x, y), 0) << "the old alias";
  set("soc", "");
  EXPECT_EQ(aclrtGetSocName(), nullptr);
}

}  // namespace
}  // namespace ascend_emulator

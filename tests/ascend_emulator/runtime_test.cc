// Start and end, devices, contexts, messages. Each test is a caller that is wrong in one way.
#include <fstream>
#include <thread>

#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;

TEST_F(EmulatorStart, NothingWorksBeforeAclInit) {
  EXPECT_EQ(aclrtSetDevice(0), ACL_ERROR_UNINITIALIZE);
  uint32_t count = 0;
  EXPECT_EQ(aclrtGetDeviceCount(&count), ACL_ERROR_UNINITIALIZE);
  EXPECT_EQ(aclrtSynchronizeDevice(), ACL_ERROR_UNINITIALIZE);
  EXPECT_EQ(aclFinalize(), ACL_ERROR_UNINITIALIZE);
  EXPECT_THAT(message(), HasSubstr("aclInit was not called"));
}

TEST_F(EmulatorStart, SecondAclInitIs100002AndSecondAclFinalizeIs100037) {
  EXPECT_EQ(aclInit(nullptr), 0);
  EXPECT_EQ(aclInit(nullptr), ACL_ERROR_REPEAT_INITIALIZE);
  EXPECT_EQ(aclFinalize(), 0);
  EXPECT_EQ(aclFinalize(), ACL_ERROR_REPEAT_FINALIZE);
  EXPECT_EQ(aclInit(nullptr), 0);
}

TEST_F(EmulatorStart, AclInitRefusesAMissingConfig) {
  EXPECT_EQ(aclInit("/no/such/acl.json"), ACL_ERROR_INVALID_PARAM);
}

TEST_F(EmulatorTest, DeviceIdOutOfRangeIs107001) {
  EXPECT_EQ(aclrtSetDevice(2), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_EQ(aclrtSetDevice(-1), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_EQ(aclrtResetDevice(2), ACL_ERROR_RT_INVALID_DEVICEID);
  aclrtContext context = nullptr;
  EXPECT_EQ(aclrtCreateContext(&context, 2), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_EQ(context, nullptr);
  EXPECT_EQ(aclrtSetDevice(1), 0);
}

TEST_F(EmulatorStart, WithoutSetDeviceIs107002) {
  ASSERT_EQ(aclInit(nullptr), 0);
  void* pointer = nullptr;
  aclrtStream stream = nullptr;
  aclrtEvent event = nullptr;
  int32_t device = 7;
  float value = 0;
  size_t free = 0;
  EXPECT_EQ(aclrtMalloc(&pointer, 64, 0), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtMallocHost(&pointer, 64), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtCreateStream(&stream), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtCreateEvent(&event), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtSynchronizeDevice(), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtMemcpy(&value, 4, &value, 4, ACL_MEMCPY_HOST_TO_HOST), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &free), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(device, 7);
}

TEST_F(EmulatorTest, TheDeviceIsBoundToTheThread) {
  int in_thread = 0;
  int after_set = -1;
  std::thread other([&] {
    int32_t device = 0;
    in_thread = aclrtGetDevice(&device);
    aclrtSetDevice(0);
    after_set = aclrtGetDevice(&device);
    aclrtResetDevice(0);
  });
  other.join();
  EXPECT_EQ(in_thread, ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(after_set, 0);
}

TEST_F(EmulatorTest, SetDeviceIsCounted) {
  EXPECT_EQ(aclrtSetDevice(0), 0);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  int32_t device = 7;
  EXPECT_EQ(aclrtGetDevice(&device), 0);
  EXPECT_EQ(device, 0);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  EXPECT_EQ(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtResetDevice(0), ACL_ERROR_RT_CONTEXT_NULL);
}

TEST_F(EmulatorTest, ResetDeviceBeforeDestroyingStreamsAndMemoryIsReported) {
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), 0);
  device_memory(100);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("before its streams were destroyed"));
  EXPECT_THAT(broken_rules(), HasSubstr("128 bytes of its memory not freed"));
  EXPECT_EQ(aclFinalize(), ACL_ERROR_INTERNAL_ERROR);
}

TEST_F(EmulatorTest, ADestroyedContextIsNoContext) {
  aclrtContext context = nullptr;
  ASSERT_EQ(aclrtCreateContext(&context, 1), 0);
  int32_t device = 0;
  EXPECT_EQ(aclrtGetDevice(&device), 0);
  EXPECT_EQ(device, 1);
  EXPECT_EQ(aclrtDestroyContext(context), 0);
  EXPECT_EQ(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtDestroyContext(context), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclrtSetCurrentContext(context), ACL_ERROR_RT_INVALID_HANDLE);
}

TEST_F(EmulatorTest, NullPointersAre100000) {
  EXPECT_EQ(aclrtGetDeviceCount(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtGetDevice(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtCreateContext(nullptr, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtSetCurrentContext(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtCreateStream(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtDestroyStream(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtCreateEvent(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtDestroyEvent(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMallocHost(nullptr, 4), ACL_ERROR_INVALID_PARAM);
}

TEST_F(EmulatorTest, TheMessageIsClearedByReading) {
  EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
  EXPECT_EQ(aclrtSetDevice(9), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_THAT(message(), HasSubstr("aclrtSetDevice: expected a device below 2, got 9"));
  EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
}

TEST_F(EmulatorTest, TheMessageBelongsToTheThread) {
  EXPECT_EQ(aclrtSetDevice(9), ACL_ERROR_RT_INVALID_DEVICEID);
  bool empty_there = false;
  std::thread other([&] { empty_there = aclGetRecentErrMsg() == nullptr; });
  other.join();
  EXPECT_TRUE(empty_there);
  EXPECT_NE(message(), "");
}

TEST_F(EmulatorTest, LeaksAreAnErrorOfAclFinalizeAndAreInTheReport) {
  const std::string report = testing::TempDir() + "ascend_emulator_leaks.txt";
  std::remove(report.c_str());
  set("report", report.c_str());
  void* memory = device_memory(64);
  void* host = nullptr;
  ASSERT_EQ(aclrtMallocHost(&host, 100), 0);
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), 0);
  aclrtEvent event = nullptr;
  ASSERT_EQ(aclrtCreateEvent(&event), 0);
  const int64_t two = 2;
  float one = 1;
  aclTensor* x = tensor(memory, {8});
  aclCreateScalar(&one, ACL_FLOAT);
  aclCreateIntArray(&two, 1);
  const aclTensor* members[] = {tensor(memory, {2})};
  aclCreateTensorList(members, 1);
  planned(kAddOne, x, x);
  planned(kAddOne, x, x);
  aclrtContext context = nullptr;
  ASSERT_EQ(aclrtCreateContext(&context, 1), 0);
  EXPECT_EQ(aclFinalize(), ACL_ERROR_INTERNAL_ERROR);
  const std::string text = message();
  std::ifstream file(report);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  for (const char* leak :
       {"1 x device memory of 64 bytes on device 0", "1 x host memory of 100 bytes",
        "2 x executor of aclnnTestAddOne, never used", "1 x tensor FLOAT[8]", "1 x tensor FLOAT[2]",
        "1 x scalar", "1 x integer array", "1 x tensor list", "1 x stream", "1 x event",
        "1 x context of device 1", "device 0 was set 1 times"}) {
    EXPECT_THAT(text, HasSubstr(leak));
    EXPECT_THAT(written, HasSubstr(leak));
  }
  EXPECT_EQ(aclInit(nullptr), 0);
  EXPECT_EQ(aclFinalize(), 0) << "leaks are told once";
}

TEST_F(EmulatorTest, AProcessWithoutAclFinalizeIsInTheReport) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string report = testing::TempDir() + "ascend_emulator_exit.txt";
  std::remove(report.c_str());
  EXPECT_EXIT(
      {
        emulator()->set("report", report.c_str());
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
  std::ifstream file(report);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(written, HasSubstr("without aclFinalize"));
}

TEST_F(EmulatorTest, ACleanCallerFinalizesWithoutError) {
  void* memory = upload({1, 2});
  aclTensor* x = tensor(memory, {2});
  void* workspace = device_memory(96);
  aclOpExecutor* executor = planned(kAddOne, x, x);
  EXPECT_EQ(kAddOne.launch(workspace, 96, executor, nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(download(memory, 2), (std::vector<float>{2, 3}));
  EXPECT_EQ(aclDestroyTensor(x), 0);
  EXPECT_EQ(aclrtFree(memory), 0);
  EXPECT_EQ(aclrtFree(workspace), 0);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  EXPECT_EQ(aclFinalize(), 0) << message();
  EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
}

}  // namespace
}  // namespace ascend_emulator

// Device and host memory. Each test is a caller that is wrong in one way.
#include <cstring>

#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

class MemoryTest : public EmulatorTest {};
using MemoryDeathTest = MemoryTest;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EXPECT_FAULT(statement) EXPECT_DEATH(statement, "")
#else
#define EXPECT_FAULT(statement) EXPECT_EXIT(statement, testing::KilledBySignal(SIGSEGV), "")
#endif

TEST_F(MemoryDeathTest, TheHostCannotReadDeviceMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  volatile float* pointer = static_cast<float*>(upload({1, 2}));
  EXPECT_FAULT(std::printf("%f", static_cast<double>(*pointer)));
}

TEST_F(MemoryDeathTest, TheHostCannotWriteDeviceMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  volatile float* pointer = static_cast<float*>(upload({1, 2}));
  EXPECT_FAULT(pointer[1] = 3);
}

TEST_F(MemoryDeathTest, AHandleIsNoAddress) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), 0);
  EXPECT_FAULT(std::printf("%d", *static_cast<volatile int*>(stream)));
}

TEST_F(MemoryTest, BadArgumentsOfMallocAre100000) {
  void* pointer = nullptr;
  EXPECT_EQ(aclrtMalloc(&pointer, 0, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMalloc(nullptr, 64, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMalloc(&pointer, 64, 3), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMallocHost(&pointer, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(pointer, nullptr);
}

TEST_F(MemoryTest, AddressesAreMultiplesOf64AndOfNoMore) {
  for (const size_t size : {1, 100, 5000}) {
    const auto address = reinterpret_cast<uint64_t>(device_memory(size));
    EXPECT_EQ(address % 64, 0u);
    EXPECT_NE(address % 128, 0u) << "who needs more alignment must find out";
  }
}

TEST_F(MemoryTest, FreshMemoryIsNotZero) {
  for (const size_t bytes : {64ul, 40ul << 20}) {
    const void* memory = device_memory(bytes);
    std::vector<unsigned char> seen(bytes);
    ASSERT_EQ(aclrtMemcpy(seen.data(), bytes, memory, bytes, ACL_MEMCPY_DEVICE_TO_HOST), 0);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 0xFF), static_cast<int64_t>(bytes));
  }
}

TEST_F(MemoryTest, LargeBlocksDoNotShareTheirFreshBytes) {
  const size_t bytes = 40ul << 20;
  void* a = device_memory(bytes);
  void* b = device_memory(bytes);
  ASSERT_EQ(aclrtMemset(a, bytes, 0, bytes), 0);
  unsigned char seen = 0;
  ASSERT_EQ(aclrtMemcpy(&seen, 1, b, 1, ACL_MEMCPY_DEVICE_TO_HOST), 0);
  EXPECT_EQ(seen, 0xFF);
}

TEST_F(MemoryTest, ASizeIsRoundedUpTo32AndEndsThere) {
  void* memory = device_memory(33);
  std::vector<char> host(65);
  EXPECT_EQ(aclrtMemcpy(memory, 64, host.data(), 64, ACL_MEMCPY_HOST_TO_DEVICE), 0);
  EXPECT_EQ(aclrtMemcpy(memory, 65, host.data(), 65, ACL_MEMCPY_HOST_TO_DEVICE),
            ACL_ERROR_INVALID_PARAM);
  EXPECT_THAT(message(), HasSubstr("65 bytes at offset 0 of an allocation of 64 bytes"));
  EXPECT_THAT(broken_rules(), HasSubstr("aclrtMemcpy"));
}

TEST_F(MemoryTest, MemoryThatIsUsedUpIs207001) {
  set("memory", "1000");
  void* first = device_memory(600);
  size_t free = 0;
  size_t total = 0;
  EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), 0);
  EXPECT_EQ(total, 1000u);
  EXPECT_EQ(free, 1000u - 608);
  void* pointer = nullptr;
  EXPECT_EQ(aclrtMalloc(&pointer, 600, 0), ACL_ERROR_RT_MEMORY_ALLOCATION);
  EXPECT_EQ(pointer, nullptr);
  EXPECT_THAT(message(), HasSubstr("no memory for 600 bytes, 608 of 1000 are used"));
  EXPECT_EQ(aclrtFree(first), 0);
  EXPECT_EQ(aclrtMalloc(&pointer, 600, 0), 0);
}

TEST_F(MemoryTest, MemoryIsCountedByDevice) {
  device_memory(96);
  ASSERT_EQ(aclrtSetDevice(1), 0);
  size_t free = 0;
  size_t total = 0;
  EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), 0);
  EXPECT_EQ(free, total);
  EXPECT_EQ(aclrtGetMemInfo(2, &free, &total), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, nullptr, &total), ACL_ERROR_INVALID_PARAM);
}

TEST_F(MemoryTest, BadFreesAreErrors) {
  EXPECT_EQ(aclrtFree(nullptr), ACL_ERROR_INVALID_PARAM);
  void* memory = device_memory(128);
  EXPECT_EQ(aclrtFree(static_cast<char*>(memory) + 64), ACL_ERROR_INVALID_PARAM);
  int word = 0;
  EXPECT_EQ(aclrtFree(&word), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtFree(memory), 0);
  EXPECT_EQ(aclrtFree(memory), ACL_ERROR_INVALID_PARAM);
  EXPECT_THAT(message(), HasSubstr("got freed memory"));
  EXPECT_EQ(aclrtFreeHost(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtFreeHost(&word), ACL_ERROR_INVALID_PARAM);
}

TEST_F(MemoryTest, FreedMemoryIsGoneAtOnceAndItsAddressIsNotReused) {
  void* memory = upload({1});
  ASSERT_EQ(aclrtFree(memory), 0);
  float value = 5;
  EXPECT_EQ(aclrtMemcpy(&value, 4, memory, 4, ACL_MEMCPY_DEVICE_TO_HOST), ACL_ERROR_INVALID_PARAM);
  EXPECT_THAT(message(), HasSubstr("src: freed memory"));
  EXPECT_EQ(value, 5);
  for (int i = 0; i < 100; ++i) EXPECT_NE(device_memory(4), memory);
}

TEST_F(MemoryTest, AKernelOnFreedMemoryIs507015AtTheNextWait) {
  void* memory = upload({1});
  void* result = device_memory(4);
  aclTensor* x = tensor(memory, {1});
  aclTensor* y = tensor(result, {1});
  ASSERT_EQ(run(kNoWorkspaceAddOne, x, y), 0);
  EXPECT_EQ(aclrtFree(memory), 0) << "aclrtFree does not wait";
  EXPECT_THAT(broken_rules(), HasSubstr("before the work that uses them was waited for"));
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(),
              HasSubstr("aclnnTestNoWorkspace: x: storage [1] of FLOAT lies in freed memory"));
}

TEST_F(MemoryTest, MemoryFreedWhileAKernelRunsOnItIs507015) {
  set("start", "eager");
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  ASSERT_EQ(run(kSlowAddOne, x, tensor(device_memory(4), {1})), 0);
  wait_for_slow_kernel();
  EXPECT_EQ(aclrtFree(memory), 0);
  end_slow_kernel();
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(), HasSubstr("memory was freed before the kernel ended"));
}

TEST_F(MemoryTest, AFailureStaysUntilTheDeviceIsReset) {
  aclrtStream other = nullptr;
  ASSERT_EQ(aclrtCreateStream(&other), 0);
  void* memory = upload({1});
  void* result = upload({5});
  ASSERT_EQ(run(kNoWorkspaceAddOne, tensor(memory, {1}), tensor(result, {1})), 0);
  EXPECT_EQ(aclrtFree(memory), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(aclrtSynchronizeStream(other), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(aclrtSynchronizeDevice(), ACL_ERROR_RT_AICORE_EXCEPTION);
  float value = 0;
  EXPECT_EQ(aclrtMemcpy(&value, 4, result, 4, ACL_MEMCPY_DEVICE_TO_HOST),
            ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_EQ(aclrtFree(result), 0);
  EXPECT_EQ(aclrtDestroyStream(other), 0);
  EXPECT_EQ(aclrtResetDevice(0), 0);
  EXPECT_EQ(aclrtSetDevice(0), 0);
  EXPECT_EQ(aclrtSynchronizeDevice(), 0);
  EXPECT_EQ(download(upload({3}), 1), (Values{3}));
}

TEST_F(MemoryTest, BadArgumentsOfMemcpy) {
  void* memory = device_memory(64);
  char host[64] = {};
  EXPECT_EQ(aclrtMemcpy(nullptr, 4, host, 4, ACL_MEMCPY_HOST_TO_HOST), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(host, 4, nullptr, 4, ACL_MEMCPY_HOST_TO_HOST), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(memory, 4, host, 4, 5), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(memory, 3, host, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy(memory, 0, host, 0, ACL_MEMCPY_HOST_TO_DEVICE), 0) << "nothing is no error";
  EXPECT_EQ(aclrtMemcpy(memory, 4, host, 4, ACL_MEMCPY_DEFAULT), 0);
}

TEST_F(MemoryTest, TheKindOfACopyMustBeTrue) {
  void* memory = device_memory(64);
  char host[64] = {};
  EXPECT_EQ(aclrtMemcpy(host, 4, memory, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(host, 4, memory, 4, ACL_MEMCPY_HOST_TO_HOST), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(host, 4, host + 8, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(memory, 4, host, 4, ACL_MEMCPY_DEVICE_TO_DEVICE), ACL_ERROR_INVALID_PARAM);
  EXPECT_THAT(message(), HasSubstr("src lies on the other side than kind says"));
}

TEST_F(MemoryTest, CopiesStayInsideTheirBlocks) {
  void* memory = device_memory(64);
  char host[128] = {};
  auto* inside = static_cast<char*>(memory) + 32;
  EXPECT_EQ(aclrtMemcpy(inside, 32, host, 32, ACL_MEMCPY_HOST_TO_DEVICE), 0);
  EXPECT_EQ(aclrtMemcpy(inside, 33, host, 33, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpyAsync(inside, 33, host, 33, ACL_MEMCPY_HOST_TO_DEVICE, nullptr),
            ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemset(inside, 33, 0, 33), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemset(inside, 32, 0, 33), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemset(host, 32, 0, 32), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemset(nullptr, 32, 0, 32), ACL_ERROR_INVALID_PARAM);
  void* pinned = nullptr;
  ASSERT_EQ(aclrtMallocHost(&pinned, 40), 0);
  EXPECT_EQ(aclrtMemcpy(pinned, 64, memory, 64, ACL_MEMCPY_DEVICE_TO_HOST),
            ACL_ERROR_INVALID_PARAM);
  EXPECT_THAT(message(), HasSubstr("past the end of a block of aclrtMallocHost"));
}

TEST_F(MemoryTest, MemoryOfAnotherDeviceIsRefused) {
  void* memory = device_memory(64);
  aclTensor* x = tensor(memory, {1});
  ASSERT_EQ(aclrtSetDevice(1), 0);
  char host[64] = {};
  EXPECT_EQ(aclrtMemcpy(memory, 4, host, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemset(memory, 4, 0, 4), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtFree(memory), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(run(kAddOne, x, x), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("x: the memory belongs to device 0"));
}

TEST_F(MemoryTest, MallocsAndBytesAreCounted) {
  emulator()->reset_counters();
  void* a = device_memory(64);
  device_memory(32);
  EXPECT_EQ(aclrtFree(a), 0);
  EXPECT_EQ(emulator()->counter("mallocs"), 2u);
  EXPECT_EQ(emulator()->counter("frees"), 1u);
  EXPECT_EQ(emulator()->counter("bytes"), 32u);
  EXPECT_EQ(emulator()->counter("peak_bytes"), 96u);
}

TEST_F(MemoryTest, AddressesAreUsedAgainOnlyWhenAllWereUsed) {
  // 12 GiB at a time of 256 GiB: lazily filled, so this costs next to nothing.
  void* kept = upload({1});
  for (int i = 0; i < 60; ++i) ASSERT_EQ(aclrtFree(device_memory(12ull << 30)), 0) << i;
  EXPECT_EQ(download(kept, 1), (Values{1}));
}

}  // namespace
}  // namespace ascend_emulator

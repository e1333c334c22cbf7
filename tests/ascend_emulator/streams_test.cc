// Queues: what has not been waited for has not happened.
#include <atomic>
#include <chrono>
#include <thread>

#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

class StreamsTest : public EmulatorTest {
 protected:
  StreamsTest() {
    EXPECT_EQ(aclrtCreateStream(&a_), 0);
    EXPECT_EQ(aclrtCreateStream(&b_), 0);
    EXPECT_EQ(aclrtCreateEvent(&event_), 0);
  }
  aclrtStream a_ = nullptr;
  aclrtStream b_ = nullptr;
  aclrtEvent event_ = nullptr;
};

TEST_F(StreamsTest, SynchronousCopyDoesNotWaitForStreams) {
  void* memory = upload({1, 2});
  aclTensor* x = tensor(memory, {2});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  EXPECT_EQ(download(memory, 2), (Values{1, 2})) << "a missing synchronization must be seen";
  EXPECT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(download(memory, 2), (Values{2, 3}));
}

TEST_F(StreamsTest, SynchronousFillDoesNotWaitForStreams) {
  void* memory = upload({1, 2});
  aclTensor* x = tensor(memory, {2});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  EXPECT_EQ(aclrtMemset(memory, 8, 0, 8), 0);
  EXPECT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(download(memory, 2), (Values{1, 1}));
}

TEST_F(StreamsTest, DelayedStartShowsAMissingSynchronization) {
  set("start", "delayed");
  set("delay", "1000000");  // at least a quarter of it
  void* memory = upload({1, 2});
  aclTensor* x = tensor(memory, {2});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(download(memory, 2), (Values{1, 2}));
  EXPECT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(download(memory, 2), (Values{2, 3}));
}

TEST_F(StreamsTest, NullIsTheDefaultStream) {
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  ASSERT_EQ(run(kAddOne, x, x, nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
  EXPECT_EQ(download(memory, 1), (Values{2}));
}

TEST_F(StreamsTest, SynchronizeDeviceWaitsForAllStreams) {
  void* memory = upload({1, 10, 100});
  void* other = upload({1});
  aclTensor* x = tensor(memory, {3});
  aclTensor* y = tensor(other, {1});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  ASSERT_EQ(run(kAddOne, y, y, nullptr), 0);
  EXPECT_EQ(aclrtSynchronizeDevice(), 0);
  EXPECT_EQ(download(memory, 3), (Values{2, 11, 101}));
  EXPECT_EQ(download(other, 1), (Values{2}));
  EXPECT_EQ(aclDestroyTensor(x), 0) << message();
}

TEST_F(StreamsTest, EventsOrderStreams) {
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  void* result = device_memory(4);
  aclTensor* y = tensor(result, {1});
  for (int i = 0; i < 20; ++i) ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  ASSERT_EQ(aclrtRecordEvent(event_, a_), 0);
  ASSERT_EQ(aclrtStreamWaitEvent(b_, event_), 0);
  ASSERT_EQ(run(kAddOne, x, y, b_), 0);
  EXPECT_EQ(aclrtSynchronizeStream(b_), 0);
  EXPECT_EQ(download(result, 1), (Values{22}));
  // Having waited for b, the thread has waited for what b waited for.
  EXPECT_EQ(aclDestroyTensor(x), 0) << message();
}

TEST_F(StreamsTest, AnEventWithoutRecordOrdersNothing) {
  EXPECT_EQ(aclrtStreamWaitEvent(b_, event_), 0);
  EXPECT_EQ(aclrtSynchronizeStream(b_), 0);
  EXPECT_EQ(aclrtSynchronizeEvent(event_), 0);
}

TEST_F(StreamsTest, SynchronizeEventWaitsForItsRecordOnly) {
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  ASSERT_EQ(aclrtRecordEvent(event_, a_), 0);
  aclTensor* later = tensor(memory, {1});
  ASSERT_EQ(run(kAddOne, later, later, a_), 0);
  EXPECT_EQ(aclrtSynchronizeEvent(event_), 0);
  EXPECT_EQ(aclDestroyTensor(x), 0) << message();
  EXPECT_EQ(aclDestroyTensor(later), ACLNN_ERR_PARAM_INVALID)
      << "nobody waited for what came later";
}

TEST_F(StreamsTest, ElapsedTimeNeedsEventsThatWereWaitedFor) {
  aclrtEvent end = nullptr;
  ASSERT_EQ(aclrtCreateEvent(&end), 0);
  float milliseconds = -1;
  EXPECT_EQ(aclrtEventElapsedTime(&milliseconds, event_, end), ACL_ERROR_INVALID_PARAM);
  ASSERT_EQ(aclrtRecordEvent(event_, a_), 0);
  ASSERT_EQ(aclrtRecordEvent(end, a_), 0);
  EXPECT_EQ(aclrtEventElapsedTime(&milliseconds, event_, end), ACL_ERROR_INVALID_PARAM);
  ASSERT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(aclrtEventElapsedTime(&milliseconds, event_, end), 0);
  EXPECT_GE(milliseconds, 0);
}

TEST_F(StreamsTest, ForeignStreamIs107003) {
  aclrtContext context = nullptr;
  ASSERT_EQ(aclrtCreateContext(&context, 0), 0);
  EXPECT_EQ(aclrtSynchronizeStream(a_), ACL_ERROR_RT_STREAM_CONTEXT);
  EXPECT_EQ(aclrtRecordEvent(event_, a_), ACL_ERROR_RT_STREAM_CONTEXT);
  EXPECT_EQ(aclrtStreamWaitEvent(a_, event_), ACL_ERROR_RT_STREAM_CONTEXT);
  EXPECT_EQ(aclrtDestroyStream(a_), ACL_ERROR_RT_STREAM_CONTEXT);
  void* memory = upload({1});
  EXPECT_EQ(aclrtMemsetAsync(memory, 4, 0, 4, a_), ACL_ERROR_RT_STREAM_CONTEXT);
  aclTensor* x = tensor(memory, {1});
  EXPECT_EQ(run(kNoWorkspaceAddOne, x, tensor(device_memory(4), {1}), a_), ACLNN_ERR_RUNTIME_ERROR);
  EXPECT_THAT(message(), HasSubstr("107003"));
  EXPECT_EQ(aclrtDestroyContext(context), 0);
}

TEST_F(StreamsTest, ABadHandleIs107017) {
  int word = 0;
  EXPECT_EQ(aclrtSynchronizeStream(&word), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclrtSynchronizeStream(event_), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclrtDestroyStream(a_), 0);
  EXPECT_EQ(aclrtSynchronizeStream(a_), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclrtDestroyEvent(event_), 0);
  EXPECT_EQ(aclrtRecordEvent(event_, b_), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_THAT(message(), HasSubstr("the event was destroyed"));
}

TEST_F(StreamsTest, DestroyingAStreamWithWorkIsReported) {
  void* memory = upload({1});
  aclTensor* x = tensor(memory, {1});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  EXPECT_EQ(aclrtDestroyStream(a_), 0);
  EXPECT_THAT(broken_rules(), HasSubstr("aclrtDestroyStream: work was not waited for"));
}

TEST_F(StreamsTest, NoMoreThan1984Streams) {
  for (int i = 2; i < 1984; ++i) {
    aclrtStream stream = nullptr;
    ASSERT_EQ(aclrtCreateStream(&stream), 0) << i;
  }
  aclrtStream stream = nullptr;
  EXPECT_EQ(aclrtCreateStream(&stream), ACL_ERROR_RT_STREAM_RESOURCE);
  EXPECT_EQ(stream, nullptr);
}

TEST_F(StreamsTest, PinnedCopiesReturnAtOnce) {
  void* memory = upload({1});
  void* host = nullptr;
  ASSERT_EQ(aclrtMallocHost(&host, 4), 0);
  *static_cast<float*>(host) = 7;
  EXPECT_EQ(aclrtMemcpyAsync(memory, 4, host, 4, ACL_MEMCPY_HOST_TO_DEVICE, a_), 0);
  EXPECT_EQ(download(memory, 1), (Values{1}));
  *static_cast<float*>(host) = 9;  // too early: the copy takes this
  EXPECT_EQ(aclrtFreeHost(host), ACL_ERROR_INVALID_PARAM);
  EXPECT_THAT(broken_rules(), HasSubstr("freed before the copy that uses it was waited for"));
  EXPECT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(download(memory, 1), (Values{9}));
  EXPECT_EQ(aclrtFreeHost(host), 0);
  EXPECT_EQ(emulator()->counter("async_copies"), 1u);
}

TEST_F(StreamsTest, PageableCopiesBlockInTheOrderOfTheStream) {
  void* memory = upload({1, 2});
  aclTensor* x = tensor(memory, {2});
  ASSERT_EQ(run(kAddOne, x, x, a_), 0);
  Values values(2);
  EXPECT_EQ(aclrtMemcpyAsync(values.data(), 8, memory, 8, ACL_MEMCPY_DEVICE_TO_HOST, a_), 0);
  EXPECT_EQ(values, (Values{2, 3}));
  EXPECT_EQ(emulator()->counter("blocking_copies"), 1u);
}

TEST_F(StreamsTest, AsynchronousHostToHostIs207000) {
  float a = 0;
  float b = 1;
  EXPECT_EQ(aclrtMemcpyAsync(&a, 4, &b, 4, ACL_MEMCPY_HOST_TO_HOST, a_),
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  EXPECT_EQ(a, 0);
}

TEST_F(StreamsTest, AsynchronousFillsAndDeviceCopiesRunInOrder) {
  void* x = upload({1, 2});
  void* y = upload({5, 6});
  EXPECT_EQ(aclrtMemsetAsync(x, 8, 0, 4, a_), 0);
  EXPECT_EQ(aclrtMemcpyAsync(y, 8, x, 8, ACL_MEMCPY_DEVICE_TO_DEVICE, a_), 0);
  EXPECT_EQ(download(y, 2), (Values{5, 6}));
  EXPECT_EQ(aclrtSynchronizeStream(a_), 0);
  EXPECT_EQ(download(y, 2), (Values{0, 2}));
}

TEST_F(StreamsTest, ManyThreadsMayUseTheirOwnStreams) {
  set("start", "delayed");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&wrong, t] {
      aclrtSetDevice(0);
      aclrtStream stream = nullptr;
      aclrtCreateStream(&stream);
      void* memory = upload({static_cast<float>(t)});
      aclTensor* x = tensor(memory, {1});
      for (int i = 0; i < 50; ++i) wrong += run(kAddOne, x, x, stream) != 0;
      wrong += aclrtSynchronizeStream(stream) != 0;
      wrong += download(memory, 1)[0] != static_cast<float>(t + 50);
      wrong += aclrtDestroyStream(stream) != 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(broken_rules(), "");
}

TEST_F(StreamsTest, SynchronizationsAreCounted) {
  emulator()->reset_counters();
  aclrtSynchronizeStream(a_);
  aclrtSynchronizeDevice();
  aclrtSynchronizeEvent(event_);
  EXPECT_EQ(emulator()->counter("synchronizations"), 3u);
}

}  // namespace
}  // namespace ascend_emulator

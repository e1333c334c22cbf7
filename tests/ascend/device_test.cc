// The device layer over the emulator: memory, copies, calls, counters, errors, threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <thread>

#include "backend/ascend/runtime/device.h"

namespace mxdit::ascend {
namespace {

using testing::HasSubstr;

Tensor numbers(const Shape& shape, float first = 1.0f) {
  Tensor tensor = Tensor::host(DType::f32, shape);
  std::iota(tensor.as_mutable<float>(), tensor.as_mutable<float>() + tensor.elements(), first);
  return tensor;
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

class DeviceTest : public testing::Test {
 protected:
  // out = a + b
  void add(const Tensor& a, const Tensor& b, Tensor& out) {
    device_->call(op::add, TensorView::of(a), TensorView::of(b), ScalarValue(1.0f),
                  TensorView::of(out));
  }
  std::unique_ptr<Device> device_ = std::make_unique<Device>(DeviceOptions{});
};

TEST_F(DeviceTest, BytesGoThereAndBack) {
  for (const int64_t rows : {1, 7, 5000, 3000000}) {
    const Tensor host = numbers({rows, 3});
    EXPECT_TRUE(equal(device_->download(device_->upload(host)), host)) << rows;
  }
}

TEST_F(DeviceTest, UploadsReadTheHostAtOnce) {
  Tensor host = numbers({1000});
  const Tensor device = device_->upload(host);
  std::fill(host.as_mutable<float>(), host.as_mutable<float>() + 1000, -1.0f);
  EXPECT_TRUE(equal(device_->download(device), numbers({1000})));
}

TEST_F(DeviceTest, ClearAndCopyAreInTheStreamsOrder) {
  Tensor a = device_->upload(numbers({64}));
  Tensor b = device_->empty(DType::f32, {64});
  device_->copy(b.mutable_data(), a.data(), a.bytes());
  device_->clear(a.mutable_data(), a.bytes());
  EXPECT_TRUE(equal(device_->download(b), numbers({64})));
  EXPECT_EQ(device_->download(a).as<float>()[63], 0.0f);
}

TEST_F(DeviceTest, AnOperatorOnSlices) {
  const Tensor a = device_->upload(numbers({40, 3}));
  Tensor out = device_->empty(DType::f32, {2, 3});
  add(a.slice(7, 9), a.slice(30, 32), out);
  const Tensor host = device_->download(out);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(host.as<float>()[i], (22.0f + i) + (91.0f + i));
}

TEST_F(DeviceTest, RepeatedWorkAllocatesAndWaitsForNothing) {
  const Tensor x = device_->upload(numbers({256, 8}));
  const auto step = [&] {
    const DeviceCounters before = device_->counters();
    Tensor sum = x;
    for (int i = 0; i < 10; ++i) {
      Tensor next = device_->empty(DType::f32, {256, 8});
      add(sum, x, next);
      sum = next;
    }
    return device_->counters().since(before);
  };
  const DeviceCounters first = step();
  EXPECT_EQ(first.operator_calls, 10u);
  EXPECT_GT(first.allocations, 0u);
  device_->synchronize();
  for (int i = 0; i < 3; ++i) {
    const DeviceCounters later = step();
    EXPECT_EQ(later.operator_calls, 10u);
    EXPECT_EQ(later.allocations, 0u);
    EXPECT_EQ(later.synchronizations, 0u);
  }
}

TEST_F(DeviceTest, OneResultManyTimesIsRight) {
  const Tensor a = device_->upload(numbers({33}));
  Tensor out = device_->empty(DType::f32, {33});
  for (int i = 0; i < 5; ++i) {
    add(a, a, out);
    EXPECT_EQ(device_->download(out).as<float>()[32], 66.0f);
  }
}

TEST_F(DeviceTest, ARefusedCallSaysWhy) {
  const Tensor a = device_->upload(numbers({4, 3}));
  Tensor out = device_->empty(DType::f32, {5, 5});
  try {
    add(a, a, out);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("[backend] ascend: aclnnAdd phase 1: expected 0, got 16"));
    EXPECT_THAT(error.what(), HasSubstr("F32 [4, 3]"));
  }
  Tensor good = device_->empty(DType::f32, {4, 3});
  add(a, a, good);
  EXPECT_EQ(device_->download(good).as<float>()[0], 2.0f) << "the device still works";
}

TEST_F(DeviceTest, AnyThreadMayUseItInTurn) {
  Tensor out;
  std::thread([&] { out = device_->upload(numbers({50})); }).join();
  Tensor sum = device_->empty(DType::f32, {50});
  std::thread([&] { add(out, out, sum); }).join();
  EXPECT_EQ(device_->download(sum).as<float>()[49], 100.0f);
  std::thread([&] { device_.reset(); }).join();
}

TEST_F(DeviceTest, TwoDevicesObjectsInOneThread) {
  Device other{DeviceOptions{}};
  const Tensor a = device_->upload(numbers({16}));
  const Tensor b = other.upload(numbers({16}, 5));
  EXPECT_TRUE(equal(device_->download(a), numbers({16})));
  EXPECT_TRUE(equal(other.download(b), numbers({16}, 5)));
}

TEST_F(DeviceTest, TensorsMayOutliveTheDevice) {
  Tensor kept = device_->upload(numbers({16}));
  device_.reset();
  kept = Tensor();
}

TEST_F(DeviceTest, FewKeptExecutorsGiveTheSameResults) {
  Device small{DeviceOptions{.index = 0, .most_executors = 2}};
  const Tensor a = small.upload(numbers({8}));
  std::vector<Tensor> outs;
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 5; ++i) {
      if (round == 0) outs.push_back(small.empty(DType::f32, {8}));
      small.call(op::muls, TensorView::of(a), ScalarValue(static_cast<float>(i)),
                 TensorView::of(outs[static_cast<size_t>(i)]));
    }
  for (size_t i = 0; i < 5; ++i)
    EXPECT_EQ(small.download(outs[i]).as<float>()[7], 8.0f * static_cast<float>(i));
}

TEST_F(DeviceTest, MemoryIsTold) {
  const BlockSource::Memory before = device_->memory();
  EXPECT_GT(before.total, 0u);
  const Tensor kept = device_->empty(DType::u8, {1 << 20});
  EXPECT_LE(device_->memory().free, before.free);
  EXPECT_FALSE(device_->soc().empty());
}

TEST(DeviceOpening, AnIndexThatIsNotThere) {
  try {
    Device device{DeviceOptions{.index = 4711}};
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("got 4711"));
  }
}

}  // namespace
}  // namespace mxdit::ascend

// What the device layer does when something of CANN fails: one clear error, nothing left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "ascend/emulator_control.h"
#include "backend/ascend/runtime/device.h"

namespace mxdit::ascend {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DeviceFaultsTest : public testing::Test {
 protected:
  void SetUp() override { emulator_.reset(); }
  // Everything that CANN gave has been given back, and no rule was broken on the way.
  void TearDown() override {
    device_.reset();
    EXPECT_EQ(emulator_.counter("bytes"), 0u);
    EXPECT_EQ(emulator_.broken_rules(), "");
    emulator_.reset();
  }

  void open() { device_ = std::make_unique<Device>(DeviceOptions{}); }
  // out = a + a
  void add(const Tensor& a, Tensor& out) {
    device_->call(op::add, TensorView::of(a), TensorView::of(a), ScalarValue(1.0f),
                  TensorView::of(out));
  }
  Tensor zeros() {
    Tensor tensor = device_->empty(DType::f32, {64});
    device_->clear(tensor.mutable_data(), tensor.bytes());
    return tensor;
  }
  static std::string message(ErrorKind kind, const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
      return error.what();
    }
    return "no error";
  }

  EmulatorControl emulator_;
  std::unique_ptr<Device> device_;
};

TEST_F(DeviceFaultsTest, NothingIsLeftAfterOrdinaryWork) {
  open();
  Tensor a = zeros(), out = zeros();
  for (int i = 0; i < 3; ++i) add(a, out);
  EXPECT_EQ(device_->download(out).as<float>()[0], 0.0f);
}

TEST_F(DeviceFaultsTest, NothingIsLeftWithoutAnyWait) {
  emulator_.set("start", "lazy");
  open();
  Tensor a = zeros(), out = zeros();
  for (int i = 0; i < 3; ++i) add(a, out);
}

TEST_F(DeviceFaultsTest, TheLibrariesRefuseToStart) {
  emulator_.set("init_fails", "100039");
  EXPECT_THAT(message(ErrorKind::internal, [&] { open(); }),
              HasSubstr("[backend] ascend: aclInit: expected 0, got 100039"));
}

TEST_F(DeviceFaultsTest, WithoutANameOfTheChip) {
  emulator_.set("soc", "");
  EXPECT_THAT(message(ErrorKind::internal, [&] { open(); }), HasSubstr("aclrtGetSocName"));
}

TEST_F(DeviceFaultsTest, AnotherChip) {
  emulator_.set("soc", "Ascend910B3");
  open();
  EXPECT_FALSE(device_->is_a5());
  EXPECT_EQ(device_->soc(), "Ascend910B3");
}

TEST_F(DeviceFaultsTest, MemoryEnds) {
  emulator_.set("memory", "1048576");
  open();
  const Tensor kept = device_->empty(DType::u8, {700000});
  EXPECT_THAT(message(ErrorKind::out_of_memory,
                      [&] { device_->empty(DType::u8, {500000}); }),
              AllOf(HasSubstr("expected 500000 bytes"), HasSubstr("of 1048576 bytes are free")));
  EXPECT_EQ(device_->empty(DType::u8, {1000}).elements(), 1000) << "less is still to be had";
}

TEST_F(DeviceFaultsTest, IdleMemoryIsGivenBackBeforeMemoryEnds) {
  emulator_.set("memory", "1048576");
  open();
  for (int i = 1; i <= 6; ++i) {
    Tensor tensor = device_->empty(DType::f32, {i * 30000});
    Tensor out = device_->empty(DType::f32, {64});
    device_->clear(tensor.mutable_data(), tensor.bytes());
    add(tensor.slice(0, 64), out);
    EXPECT_EQ(device_->download(out).as<float>()[63], 0.0f);
  }
}

TEST_F(DeviceFaultsTest, OneRefusedAllocationIsTriedAgain) {
  open();
  const Tensor a = zeros();
  emulator_.set("malloc_fails", "1");
  EXPECT_EQ(device_->empty(DType::u8, {12345}).elements(), 12345);
}

TEST_F(DeviceFaultsTest, APhaseOneThatFailsQueuesNothing) {
  open();
  Tensor a = zeros(), out = zeros();
  emulator_.set("plan_fails", "aclnnAdd:561103");
  EXPECT_THAT(message(ErrorKind::internal, [&] { add(a, out); }),
              AllOf(HasSubstr("[backend] ascend: aclnnAdd phase 1: expected 0, got 561103: "),
                    HasSubstr("F32 [64]")));
  add(a, out);
  device_->synchronize();
}

TEST_F(DeviceFaultsTest, AChipWithoutTheOperatorIsUnsupported) {
  open();
  Tensor a = zeros(), out = zeros();
  emulator_.set("plan_fails", "aclnnAdd:361001");
  EXPECT_THAT(message(ErrorKind::unsupported, [&] { add(a, out); }), HasSubstr("got 361001"));
}

TEST_F(DeviceFaultsTest, AKernelThatFailsShowsAtTheNextWaitAndEndsTheDevice) {
  open();
  Tensor a = zeros(), out = zeros();
  add(a, out);
  device_->synchronize();
  emulator_.set("kernel_fails", "aclnnAdd");
  add(a, out);  // no error yet
  const std::string first =
      message(ErrorKind::internal, [&] { device_->synchronize(); });
  EXPECT_THAT(first, AllOf(HasSubstr("after 1 operator calls, the last: aclnnAdd (F32 [64]"),
                           HasSubstr("aclrtSynchronizeStream: expected 0, got 507015")));
  EXPECT_EQ(message(ErrorKind::internal, [&] { add(a, out); }), first);
  EXPECT_EQ(message(ErrorKind::internal, [&] { device_->download(a); }), first);
  EXPECT_EQ(message(ErrorKind::internal, [&] { device_->upload(Tensor::host(DType::f32, {4})); }),
            first);
  device_->release_idle();
}

TEST_F(DeviceFaultsTest, AfterALostDeviceAnotherObjectWorks) {
  open();
  Tensor a = zeros(), out = zeros();
  emulator_.set("kernel_fails", "aclnnAdd");
  add(a, out);
  message(ErrorKind::internal, [&] { device_->synchronize(); });
  a = out = Tensor();
  device_.reset();
  open();
  Tensor b = zeros(), sum = zeros();
  add(b, sum);
  EXPECT_EQ(device_->download(sum).as<float>()[5], 0.0f);
}

TEST_F(DeviceFaultsTest, ExecutorsAreMadeOncePerCall) {
  open();
  Tensor a = zeros(), out = zeros();
  for (int i = 0; i < 10; ++i) add(a, out);
  device_->synchronize();
  EXPECT_EQ(emulator_.counter("aclnnAdd"), 10u);
  EXPECT_EQ(emulator_.counter("aclnnAddGetWorkspaceSize"), 1u);
}

TEST_F(DeviceFaultsTest, ExecutorsOfFreedMemoryAreDropped) {
  open();
  for (int i = 0; i < 3; ++i) {
    Tensor a = zeros(), out = zeros();
    add(a, out);
    a = out = Tensor();
    device_->release_idle();
  }
  EXPECT_EQ(emulator_.counter("aclnnAddGetWorkspaceSize"), 3u);
}

TEST_F(DeviceFaultsTest, ExecutorsThatAreNotKeptAreUsedOnce) {
  device_ = std::make_unique<Device>(DeviceOptions{.index = 0, .most_executors = 0});
  Tensor a = zeros(), out = zeros();
  for (int i = 0; i < 3; ++i) add(a, out);
  device_->synchronize();
  EXPECT_EQ(emulator_.counter("aclnnAddGetWorkspaceSize"), 3u);
}

}  // namespace
}  // namespace mxdit::ascend

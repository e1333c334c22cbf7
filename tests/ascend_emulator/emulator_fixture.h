// A caller of the emulated libraries, for tests: device 0 is set, and everything ends with the
// test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ascend_emulator/acl_abi.h"
#include "ascend_emulator/control.h"
#include "ascend_emulator/test_operators.h"

namespace ascend_emulator {

// Before aclInit.
class EmulatorStart : public testing::Test {
 protected:
  EmulatorStart() { emulator()->reset(); }
  ~EmulatorStart() override { emulator()->reset(); }

  static const AscendEmulator* emulator() { return ascendEmulator(); }
  static void set(const char* name, const char* value) {
    ASSERT_EQ(emulator()->set(name, value), 0);
  }
  static std::string message() {
    const char* text = aclGetRecentErrMsg();
    return text == nullptr ? "" : text;
  }
  static std::string broken_rules() { return emulator()->broken_rules(); }
};

class EmulatorTest : public EmulatorStart {
 protected:
  EmulatorTest() {
    // Queued work waits until a thread waits for it: what a test does before that comes first.
    emulator()->set("start", "lazy");
    EXPECT_EQ(aclInit(nullptr), 0);
    EXPECT_EQ(aclrtSetDevice(0), 0);
  }

  static void* device_memory(size_t bytes) {
    void* pointer = nullptr;
    EXPECT_EQ(aclrtMalloc(&pointer, bytes, ACL_MEM_MALLOC_HUGE_FIRST), 0);
    return pointer;
  }
  // Device memory with these values.
  static void* upload(const std::vector<float>& values) {
    void* pointer = device_memory(values.size() * sizeof(float));
    EXPECT_EQ(aclrtMemcpy(pointer, values.size() * sizeof(float), values.data(),
                          values.size() * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE),
              0);
    return pointer;
  }
  static std::vector<float> download(const void* pointer, size_t count) {
    std::vector<float> values(count);
    EXPECT_EQ(aclrtMemcpy(values.data(), count * sizeof(float), pointer, count * sizeof(float),
                          ACL_MEMCPY_DEVICE_TO_HOST),
              0);
    return values;
  }
  static aclTensor* tensor(void* memory, const std::vector<int64_t>& shape,
                           aclDataType dtype = ACL_FLOAT, aclFormat format = ACL_FORMAT_ND) {
    return aclCreateTensor(shape.data(), shape.size(), dtype, nullptr, 0, format, shape.data(),
                           shape.size(), memory);
  }
  // Both phases, with a workspace of its own; the status of the first that fails.
  static aclnnStatus run(const TestOperator& op, aclTensor* x, aclTensor* y,
                         aclrtStream stream = nullptr) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    if (const aclnnStatus status = op.plan(x, y, &size, &executor)) return status;
    return op.launch(size == 0 ? nullptr : device_memory(size), size, executor, stream);
  }
  // The executor of a first phase that succeeds.
  static aclOpExecutor* planned(const TestOperator& op, aclTensor* x, aclTensor* y) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    EXPECT_EQ(op.plan(x, y, &size, &executor), 0) << message();
    return executor;
  }
};

}  // namespace ascend_emulator

// A caller of operators, for tests: tensors from descriptions, and one argument changed at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ascend_emulator/aclnn_abi.h"
#include "ascend_emulator/emulator_fixture.h"
#include "ascend_emulator/objects.h"

namespace ascend_emulator {

// What aclCreateTensor is called with. No strides: contiguous; no storage: the view's shape.
struct TensorSpec {
  Dims shape;
  aclDataType dtype = ACL_FLOAT;
  aclFormat format = ACL_FORMAT_ND;
  Dims strides = {};
  Dims storage = {};
  bool null = false;
};
using Specs = std::map<std::string, TensorSpec>;

inline TensorSpec null_tensor() {
  return {.shape = {}, .null = true};
}

// One way to be wrong: the arguments that are replaced, and what is said.
struct WrongArgument {
  std::string name;
  Specs changes;
  aclnnStatus status = ACLNN_ERR_PARAM_INVALID;
  std::string text = {};
};

class OperatorTest : public EmulatorTest {
 protected:
  using Plan = std::function<aclnnStatus(uint64_t*, aclOpExecutor**)>;
  using Launch = aclnnStatus (*)(void*, uint64_t, aclOpExecutor*, aclrtStream);

  // A tensor in memory of its own; one allocation for each name, used again.
  aclTensor* make(const std::string& name, const TensorSpec& spec) {
    if (spec.null) return nullptr;
    const Dims& storage = spec.storage.empty() ? spec.shape : spec.storage;
    return make_at(
        spec, memory_of(name, (element_count(storage) * bits_per_element(spec.dtype) + 7) / 8));
  }

  static aclTensor* make_at(const TensorSpec& spec, void* memory) {
    const Dims& storage = spec.storage.empty() ? spec.shape : spec.storage;
    return aclCreateTensor(spec.shape.data(), spec.shape.size(), spec.dtype,
                           spec.strides.empty() ? nullptr : spec.strides.data(), 0, spec.format,
                           storage.data(), storage.size(), memory);
  }

  void* memory_of(const std::string& name, int64_t bytes) {
    Block& block = blocks_[name];
    if (block.bytes < bytes || block.pointer == nullptr) {
      block = {device_memory(static_cast<size_t>(std::max<int64_t>(bytes, 32))), bytes};
    }
    return block.pointer;
  }

  template <class T>
  aclTensor* make_with(const TensorSpec& spec, const std::vector<T>& values) {
    const size_t bytes = values.size() * sizeof(T);
    void* memory = device_memory(bytes);
    EXPECT_EQ(aclrtMemcpy(memory, bytes, values.data(), bytes, ACL_MEMCPY_HOST_TO_DEVICE), 0);
    addresses_.push_back(memory);
    return make_at(spec, memory);
  }
  // The memory of the tensor last made by make_with.
  void* last_memory() const { return addresses_.back(); }

  template <class T>
  static std::vector<T> read(const void* memory, size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(aclrtMemcpy(values.data(), count * sizeof(T), memory, count * sizeof(T),
                          ACL_MEMCPY_DEVICE_TO_HOST),
              0);
    return values;
  }

  static aclnnStatus plan_only(const Plan& plan) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    return plan(&size, &executor);
  }

  // Both phases and the synchronization; the status of the first that fails.
  static int complete(const Plan& plan, Launch launch) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    if (const int status = plan(&size, &executor)) return status;
    void* workspace = size == 0 ? nullptr : device_memory(size);
    if (const int status = launch(workspace, size, executor, nullptr)) return status;
    return aclrtSynchronizeStream(nullptr);
  }

  static aclIntArray* ints(const Dims& values) {
    return aclCreateIntArray(values.data(), values.size());
  }
  static aclScalar* scalar(float value) { return aclCreateScalar(&value, ACL_FLOAT); }
  static aclScalar* scalar(double value) { return aclCreateScalar(&value, ACL_DOUBLE); }

  // The base call is right; each change alone is refused with its status, naming operator and
  // argument.
  void expect_refused(const char* operation, const Specs& base,
                      const std::vector<WrongArgument>& cases,
                      const std::function<aclnnStatus(const Specs&)>& plan) {
    ASSERT_EQ(plan(base), 0) << message();
    for (const WrongArgument& wrong : cases) {
      Specs specs = base;
      for (const auto& [name, spec] : wrong.changes) specs[name] = spec;
      EXPECT_EQ(plan(specs), wrong.status) << wrong.name;
      const std::string text = message();
      EXPECT_THAT(text, testing::HasSubstr(operation)) << wrong.name;
      EXPECT_THAT(text, testing::HasSubstr(wrong.text)) << wrong.name;
    }
  }

 private:
  struct Block {
    void* pointer = nullptr;
    int64_t bytes = 0;
  };
  std::map<std::string, Block> blocks_;
  std::vector<void*> addresses_;
};

}  // namespace ascend_emulator

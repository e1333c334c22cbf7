// What the first phase of an operator leaves for the second.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ascend_emulator/operator.h"
#include "ascend_emulator/state.h"

namespace ascend_emulator {

// One tensor argument.
struct Argument {
  std::string name;
  const aclTensor* handle = nullptr;
  std::shared_ptr<const Tensor> tensor;
  bool reads = false;
  bool writes = false;
};

class Executor {
 public:
  explicit Executor(const OperatorInfo& info) : info_(info) {}
  const OperatorInfo& info() const { return info_; }
  const char* state_name() const {
    return launches == 0 ? "never used" : "repeatable, never destroyed";
  }

  std::vector<Argument> arguments;
  uint64_t workspace = 0;
  std::function<void(Run&)> kernel;
  bool repeatable = false;
  uint64_t launches = 0;

 private:
  const OperatorInfo& info_;
};

// Makes the argument of a kernel.
struct RunAccess {
  static Run make(std::vector<std::byte*> storages) {
    Run run;
    run.storages_ = std::move(storages);
    return run;
  }
};

}  // namespace ascend_emulator

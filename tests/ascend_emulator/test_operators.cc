#include "ascend_emulator/test_operators.h"

#include <cstring>
#include <semaphore>

#include "ascend_emulator/operator.h"

namespace ascend_emulator {

namespace {

const OperatorInfo kAddOneInfo{
    .name = "aclnnTestAddOne", .library = Library::math, .in_place = true};
const OperatorInfo kGeneratedInfo{.name = "aclnnTestGenerated",
                                  .library = Library::math,
                                  .since = "9.0",
                                  .soc = Soc::a5,
                                  .wrong_soc = ACLNN_ERR_INNER_FIND_KERNEL_ERROR,
                                  .origin = Origin::generated,
                                  .repeatable = false};
const OperatorInfo kNoWorkspaceInfo{.name = "aclnnTestNoWorkspace", .library = Library::math};
const OperatorInfo kBeyondInfo{.name = "aclnnTestBeyond", .library = Library::math};
const OperatorInfo kSlowInfo{.name = "aclnnTestSlow", .library = Library::math};
const OperatorInfo kToNzInfo{.name = "aclnnTestToNz", .library = Library::math, .writes_nz = true};
const OperatorInfo kCopyInfo{.name = "aclnnTestCopy", .library = Library::math};
const Registration registered(kAddOneInfo);

std::binary_semaphore slow_runs{0};
std::binary_semaphore slow_may_end{0};

// Counts on beyond the last element.
float& element(const View& view, int64_t number) {
  int64_t place = view.offset;
  for (size_t d = view.shape.size(); d-- > 0;) {
    const int64_t index = d == 0 ? number : number % view.shape[d];
    place += index * view.strides[d];
    number /= view.shape[d];
  }
  return reinterpret_cast<float*>(view.storage)[place];
}

void add_one(const View& x, const View& y) {
  for (int64_t i = 0; i < element_count(y.shape); ++i) element(y, i) = element(x, i) + 1;
}

template <const OperatorInfo& info, uint64_t workspace, int beyond>
aclnnStatus plan_add_one(const aclTensor* x, aclTensor* y, uint64_t* size,
                         aclOpExecutor** executor) {
  return plan(info, size, executor, [&](Call& call) {
    const Operand input = call.input("x", x);
    const Operand output = call.output("y", y);
    call.require(input->dtype == ACL_FLOAT && output->dtype == ACL_FLOAT, ACLNN_ERR_PARAM_INVALID,
                 "x: expected FLOAT, got ", dtype_name(input->dtype));
    call.require(input->shape == output->shape, ACLNN_ERR_PARAM_INVALID, "y: expected ",
                 to_text(input->shape), ", got ", to_text(output->shape));
    call.workspace(workspace);
    call.run([=](Run& run) {
      if (&info == &kSlowInfo) {
        slow_runs.release();
        slow_may_end.acquire();
      }
      add_one(run.view(input), run.view(output));
      if (beyond > 0) element(run.view(output), output->elements() - 1 + beyond) = 5;
    });
  });
}

template <const OperatorInfo& info>
aclnnStatus plan_copy(const aclTensor* x, aclTensor* y, uint64_t* size, aclOpExecutor** executor) {
  return plan(info, size, executor, [&](Call& call) {
    const Operand input = call.input("x", x);
    const Operand output = call.output("y", y);
    const uint64_t bytes = input->storage_bytes();
    call.run(
        [=](Run& run) { std::memcpy(run.view(output).storage, run.view(input).storage, bytes); });
  });
}

template <const OperatorInfo& info>
aclnnStatus launch_any(void* workspace, uint64_t size, aclOpExecutor* executor,
                       aclrtStream stream) {
  return launch(info, workspace, size, executor, stream);
}

}  // namespace

void wait_for_slow_kernel() {
  slow_runs.acquire();
}
void end_slow_kernel() {
  slow_may_end.release();
}

const TestOperator kAddOne{plan_add_one<kAddOneInfo, 96, 0>, launch_any<kAddOneInfo>};
const TestOperator kGeneratedAddOne{plan_add_one<kGeneratedInfo, 96, 0>,
                                    launch_any<kGeneratedInfo>};
const TestOperator kNoWorkspaceAddOne{plan_add_one<kNoWorkspaceInfo, 0, 0>,
                                      launch_any<kNoWorkspaceInfo>};
const TestOperator kSlowAddOne{plan_add_one<kSlowInfo, 0, 0>, launch_any<kSlowInfo>};
const TestOperator kWritesBeyond{plan_add_one<kBeyondInfo, 0, 1>, launch_any<kBeyondInfo>};
const TestOperator kToNz{plan_copy<kToNzInfo>, launch_any<kToNzInfo>};
const TestOperator kCopy{plan_copy<kCopyInfo>, launch_any<kCopyInfo>};

}  // namespace ascend_emulator

// aclnnAdd, Sub, Mul, Adds, Muls: operands and result of one type; broadcast up to 8 dims.
#include "ascend_emulator/arithmetic/elementwise.h"

#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

constexpr int64_t kMostDims = 8;

const OperatorInfo kAdd{.name = "aclnnAdd", .library = Library::math, .in_place = true};
const OperatorInfo kSub{.name = "aclnnSub", .library = Library::math, .in_place = true};
const OperatorInfo kMul{.name = "aclnnMul", .library = Library::math, .in_place = true};
const OperatorInfo kAdds{.name = "aclnnAdds", .library = Library::math, .in_place = true};
const OperatorInfo kMuls{.name = "aclnnMuls", .library = Library::math, .in_place = true};
const Registration registrations[] = {Registration(kAdd), Registration(kSub), Registration(kMul),
                                      Registration(kAdds), Registration(kMuls)};

void check_operand(const Checks& checks, const char* argument, const Operand& operand,
                   aclDataType dtype) {
  checks.dtype(argument, operand, kReals);
  checks.same_dtype(argument, operand, dtype);
  checks.not_nz(argument, operand);
  checks.rank(argument, operand, 0, kMostDims);
}

void check_pair(Call& call, const Operand& self, const Operand& other, const Operand& out) {
  const Checks checks{call};
  check_operand(checks, "self", self, self->dtype);
  check_operand(checks, "other", other, self->dtype);
  check_operand(checks, "out", out, self->dtype);
  Dims shape;
  call.require(arithmetic::broadcast_dims(self->shape, other->shape, &shape),
               ACLNN_ERR_PARAM_INVALID, "other: expected a shape that broadcasts with ",
               to_text(self->shape), ", got ", to_text(other->shape));
  checks.shape("out", out, shape);
}

void check_unary(Call& call, const Operand& self, const Operand& out) {
  const Checks checks{call};
  check_operand(checks, "self", self, self->dtype);
  check_operand(checks, "out", out, self->dtype);
  checks.shape("out", out, self->shape);
}

using Sum = void (*)(const arithmetic::View&, const arithmetic::View&, float,
                     const arithmetic::View&);

aclnnStatus plan_sum(const OperatorInfo& info, Sum sum, const aclTensor* self,
                     const aclTensor* other, const aclScalar* alpha, aclTensor* out,
                     uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(info, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const Operand b = call.input("other", other);
    const float factor = static_cast<float>(call.scalar("alpha", alpha).as_double());
    const Operand y = call.output("out", out);
    check_pair(call, a, b, y);
    call.run([=](Run& run) { sum(memory(run, a), memory(run, b), factor, memory(run, y)); });
  });
}

}  // namespace

aclnnStatus aclnnAddGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                     const aclScalar* alpha, aclTensor* out,
                                     uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_sum(kAdd, arithmetic::add, self, other, alpha, out, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnAdd, kAdd)

aclnnStatus aclnnSubGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                     const aclScalar* alpha, aclTensor* out,
                                     uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_sum(kSub, arithmetic::subtract, self, other, alpha, out, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnSub, kSub)

aclnnStatus aclnnMulGetWorkspaceSize(const aclTensor* self, const aclTensor* other, aclTensor* out,
                                     uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kMul, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const Operand b = call.input("other", other);
    const Operand y = call.output("out", out);
    check_pair(call, a, b, y);
    call.run(
        [=](Run& run) { arithmetic::multiply(memory(run, a), memory(run, b), memory(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnMul, kMul)

aclnnStatus aclnnAddsGetWorkspaceSize(const aclTensor* self, const aclScalar* other,
                                      const aclScalar* alpha, aclTensor* out,
                                      uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kAdds, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const float added = static_cast<float>(call.scalar("other", other).as_double());
    const float factor = static_cast<float>(call.scalar("alpha", alpha).as_double());
    const Operand y = call.output("out", out);
    check_unary(call, a, y);
    call.run(
        [=](Run& run) { arithmetic::add_scalar(memory(run, a), added, factor, memory(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnAdds, kAdds)

aclnnStatus aclnnMulsGetWorkspaceSize(const aclTensor* self, const aclScalar* other, aclTensor* out,
                                      uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kMuls, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const float factor = static_cast<float>(call.scalar("other", other).as_double());
    const Operand y = call.output("out", out);
    check_unary(call, a, y);
    call.run(
        [=](Run& run) { arithmetic::multiply_scalar(memory(run, a), factor, memory(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnMuls, kMuls)

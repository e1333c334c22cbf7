// aclnnCast(self, dtype, out): the element types change, the shape does not.
#include "ascend_emulator/arithmetic/elementwise.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kCast{.name = "aclnnCast", .library = Library::math};
const Registration registered(kCast);

constexpr std::initializer_list<aclDataType> kCastable = {
    ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8,          ACL_INT32,       ACL_UINT8,
    ACL_INT64, ACL_DOUBLE,  ACL_BOOL, ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT4_E2M1};
constexpr std::initializer_list<aclDataType> kPartnersOfFp4 = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16,
                                                               ACL_FLOAT8_E4M3FN, ACL_FLOAT4_E2M1};

void check_fp4(const Checks& checks, const Operand& self, const Operand& out) {
  checks.dtype("self", self, kPartnersOfFp4);
  checks.dtype("out", out, kPartnersOfFp4);
  checks.contiguous("self", self);
  checks.contiguous("out", out);
  checks.rank("self", self, 1, 8);
  checks.call.require(self->shape.back() % 2 == 0 && self->offset % 2 == 0 && out->offset % 2 == 0,
                      ACLNN_ERR_PARAM_INVALID, "self: expected an even last dim for fp4, got ",
                      to_text(self->shape));
}

}  // namespace

aclnnStatus aclnnCastGetWorkspaceSize(const aclTensor* self, aclDataType dtype, aclTensor* out,
                                      uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kCast, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("self", self);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    checks.dtype("self", x, kCastable);
    checks.dtype("out", y, kCastable);
    checks.same_dtype("out", y, dtype);
    checks.not_nz("self", x);
    checks.not_nz("out", y);
    checks.rank("self", x, 0, 8);
    checks.shape("out", y, x->shape);
    if (x->dtype == ACL_FLOAT4_E2M1 || y->dtype == ACL_FLOAT4_E2M1) check_fp4(checks, x, y);
    call.run([=](Run& run) { arithmetic::cast(memory(run, x), memory(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnCast, kCast)

// aclnnMul(self, other, out): elementwise product of tensors of one shape.
#include "ascend_emulator/aclnn_abi.h"
#include "ascend_emulator/operator.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kMul{.name = "aclnnMul", .library = Library::math, .in_place = true};
const Registration registered(kMul);

void multiply(const View& a, const View& b, const View& out) {
  const auto* x = reinterpret_cast<const float*>(a.data());
  const auto* y = reinterpret_cast<const float*>(b.data());
  auto* z = reinterpret_cast<float*>(out.data());
  for (int64_t i = 0; i < element_count(out.shape); ++i) z[i] = x[i] * y[i];
}

}  // namespace

aclnnStatus aclnnMulGetWorkspaceSize(const aclTensor* self, const aclTensor* other, aclTensor* out,
                                     uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kMul, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const Operand b = call.input("other", other);
    const Operand y = call.output("out", out);
    for (const Operand& operand : {a, b, y}) {
      call.require(operand->dtype == ACL_FLOAT, ACLNN_ERR_PARAM_INVALID, "dtype: expected FLOAT, got ",
                   dtype_name(operand->dtype));
      call.require(operand->contiguous(), ACLNN_ERR_PARAM_INVALID, "expected contiguous tensors");
      call.require(operand->shape == y->shape, ACLNN_ERR_PARAM_INVALID, "shape: expected ",
                   to_text(y->shape), ", got ", to_text(operand->shape));
    }
    call.run([=](Run& run) { multiply(run.view(a), run.view(b), run.view(y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnMul, kMul)

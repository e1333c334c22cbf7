// aclnnMatmul, Mm, BatchMatMul, Addmm, MatmulWeightNz: products of one element type.
#include "ascend_emulator/arithmetic/matrix.h"

#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kMatmul{.name = "aclnnMatmul", .library = Library::nn};
const OperatorInfo kMm{.name = "aclnnMm", .library = Library::nn};
const OperatorInfo kBatchMatMul{.name = "aclnnBatchMatMul", .library = Library::nn};
const OperatorInfo kAddmm{.name = "aclnnAddmm", .library = Library::nn};
const OperatorInfo kMatmulWeightNz{.name = "aclnnMatmulWeightNz", .library = Library::nn};
const Registration registrations[] = {Registration(kMatmul), Registration(kMm),
                                      Registration(kBatchMatMul), Registration(kAddmm),
                                      Registration(kMatmulWeightNz)};

constexpr int64_t kC0 = 16;

// 0 keeps the types. 1 may compute fp32 in a shorter type, which is not emulated; 2 and 3 do for
// sure, and are invalid for bf16.
void check_cube_math_type(Call& call, int8_t type, aclDataType dtype) {
  const int most = dtype == ACL_FLOAT ? 0 : dtype == ACL_BF16 ? 1 : 3;
  call.require(type >= 0 && type <= most, ACLNN_ERR_PARAM_INVALID, "cubeMathType: expected 0 to ",
               most, " for ", dtype_name(dtype), ", got ", static_cast<int>(type));
}

void check_types(const Checks& checks, const Operand& left, const Operand& right,
                 const Operand& out) {
  checks.dtype("self", left, kReals);
  checks.same_dtype("mat2", right, left->dtype);
  checks.same_dtype("out", out, left->dtype);
  checks.not_nz("self", left);
  checks.not_nz("out", out);
}

void check_shapes(Call& call, const Operand& left, const Operand& right, const Operand& out,
                  int64_t least, int64_t most) {
  const Checks checks{call};
  checks.rank("self", left, least, most);
  checks.rank("mat2", right, least, most);
  checks.no_empty_dim("self", left);
  checks.no_empty_dim("mat2", right);
  const Dims &a = left->shape, &b = right->shape;
  call.require(a.back() == b[b.size() - 2], ACLNN_ERR_PARAM_INVALID, "mat2: expected ", a.back(),
               " rows, got ", to_text(b));
  Dims shape;
  call.require(
      arithmetic::broadcast_dims({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2}, &shape),
      ACLNN_ERR_PARAM_INVALID, "mat2: expected leading dims that broadcast with ", to_text(a),
      ", got ", to_text(b));
  shape.push_back(a[a.size() - 2]);
  shape.push_back(b.back());
  checks.shape("out", out, shape);
}

aclnnStatus plan_matmul(const OperatorInfo& info, int64_t least_rank, int64_t most_rank,
                        const aclTensor* self, const aclTensor* mat2, aclTensor* out,
                        int8_t cube_math_type, uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(info, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const Operand b = call.input("mat2", mat2);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    check_types(checks, a, b, y);
    checks.not_nz("mat2", b);
    check_shapes(call, a, b, y, least_rank, most_rank);
    check_cube_math_type(call, cube_math_type, a->dtype);
    call.workspace(workspace_for(y->elements()));
    call.run([=](Run& run) { arithmetic::matmul(memory(run, a), memory(run, b), memory(run, y)); });
  });
}

}  // namespace

aclnnStatus aclnnMatmulGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2,
                                        aclTensor* out, int8_t cube_math_type,
                                        uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_matmul(kMatmul, 2, 6, self, mat2, out, cube_math_type, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnMatmul, kMatmul)

aclnnStatus aclnnMmGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2, aclTensor* out,
                                    int8_t cube_math_type, uint64_t* workspace_size,
                                    aclOpExecutor** executor) {
  return plan_matmul(kMm, 2, 2, self, mat2, out, cube_math_type, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnMm, kMm)

aclnnStatus aclnnBatchMatMulGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2,
                                             aclTensor* out, int8_t cube_math_type,
                                             uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_matmul(kBatchMatMul, 3, 3, self, mat2, out, cube_math_type, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnBatchMatMul, kBatchMatMul)

aclnnStatus aclnnAddmmGetWorkspaceSize(const aclTensor* self, const aclTensor* mat1,
                                       const aclTensor* mat2, const aclScalar* beta,
                                       const aclScalar* alpha, aclTensor* out,
                                       int8_t cube_math_type, uint64_t* workspace_size,
                                       aclOpExecutor** executor) {
  return plan(kAddmm, workspace_size, executor, [&](Call& call) {
    const Operand added = call.input("self", self);
    const Operand a = call.input("mat1", mat1);
    const Operand b = call.input("mat2", mat2);
    const double self_factor = call.scalar("beta", beta).as_double();
    const double product_factor = call.scalar("alpha", alpha).as_double();
    const Operand y = call.output("out", out);
    const Checks checks{call};
    checks.dtype("mat1", a, kReals);
    checks.same_dtype("self", added, a->dtype);
    checks.same_dtype("mat2", b, a->dtype);
    checks.same_dtype("out", y, a->dtype);
    checks.not_nz("self", added);
    checks.not_nz("mat1", a);
    checks.not_nz("mat2", b);
    checks.not_nz("out", y);
    check_shapes(call, a, b, y, 2, 2);
    Dims shape;
    call.require(arithmetic::broadcast_dims(added->shape, y->shape, &shape) && shape == y->shape,
                 ACLNN_ERR_PARAM_INVALID, "self: expected a shape that broadcasts to ",
                 to_text(y->shape), ", got ", to_text(added->shape));
    check_cube_math_type(call, cube_math_type, a->dtype);
    call.workspace(workspace_for(y->elements()));
    call.run([=](Run& run) {
      arithmetic::addmm(memory(run, added), memory(run, a), memory(run, b), self_factor,
                        product_factor, memory(run, y));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnAddmm, kAddmm)

// mat2 is the NZ form of [K, N], or of [N, K] when its view's strides are those of a transposed
// matrix.
aclnnStatus aclnnMatmulWeightNzGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2,
                                                aclTensor* out, int8_t cube_math_type,
                                                uint64_t* workspace_size,
                                                aclOpExecutor** executor) {
  return plan(kMatmulWeightNz, workspace_size, executor, [&](Call& call) {
    const Operand a = call.input("self", self);
    const Operand b = call.input("mat2", mat2);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    checks.dtype("self", a, kHalves);
    check_types(checks, a, b, y);
    checks.format("mat2", b, {ACL_FORMAT_FRACTAL_NZ});
    check_shapes(call, a, b, y, 2, 2);
    const int64_t depth = b->shape[0], cols = b->shape[1];
    call.require(depth > 1 && cols > 1, ACLNN_ERR_PARAM_INVALID,
                 "mat2: expected K and N above 1, got ", to_text(b->shape));
    const bool transposed = b->strides == Dims{1, depth};
    const Dims stored = transposed ? Dims{cols, depth} : Dims{depth, cols};
    call.require(transposed || b->strides == contiguous_strides(b->shape), ACLNN_ERR_PARAM_INVALID,
                 "mat2: expected the strides of a matrix or of its transpose, got ",
                 to_text(b->strides));
    checks.storage("mat2", b, nz_storage(stored, kC0));
    check_cube_math_type(call, cube_math_type, a->dtype);
    call.workspace(workspace_for(y->elements()));
    call.run([=](Run& run) {
      arithmetic::matmul_weight_nz(memory(run, a), bytes_of<void>(run, b),
                                   {stored[0], stored[1], kC0}, transposed, memory(run, y));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnMatmulWeightNz, kMatmulWeightNz)

// aclnnDualLevelQuantMatmulWeightNz: order of the checks is SoC, null, x2 in NZ, each tensor,
// shapes, attributes; all but the first two give 161002.
#include "ascend_emulator/arithmetic/mx_matrix.h"
#include "ascend_emulator/arithmetic/mx_quantization.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kInfo{.name = "aclnnDualLevelQuantMatmulWeightNz",
                         .library = Library::nn,
                         .since = "9.0",
                         .soc = Soc::a5};
const Registration registered(kInfo);

constexpr int64_t kFractalBytes = 32;

struct Arguments {
  Operand x1, x2, x1_level0, x2_level0, x1_level1, x2_level1, bias, out;
};

Arguments fetch(Call& call, const aclTensor* x1, const aclTensor* x2, const aclTensor* x1_level0,
                const aclTensor* x2_level0, const aclTensor* x1_level1, const aclTensor* x2_level1,
                const aclTensor* bias, const aclTensor* out) {
  Arguments operands;
  operands.x1 = call.input("x1", x1);
  operands.x2 = call.input("x2", x2);
  operands.x1_level0 = call.input("x1Level0Scale", x1_level0);
  operands.x2_level0 = call.input("x2Level0Scale", x2_level0);
  operands.x1_level1 = call.input("x1Level1Scale", x1_level1);
  operands.x2_level1 = call.input("x2Level1Scale", x2_level1);
  operands.bias = call.optional_input("biasOptional", bias);
  operands.out = call.output("out", out);
  return operands;
}

void check_tensor(const Checks& checks, const char* argument, const Operand& operand,
                  std::initializer_list<aclDataType> dtypes,
                  std::initializer_list<aclFormat> formats, int64_t rank) {
  checks.dtype(argument, operand, dtypes);
  checks.format(argument, operand, formats);
  checks.rank(argument, operand, rank, rank);
  checks.contiguous(argument, operand);
}

void check_tensors(const Checks& checks, const Arguments& operands) {
  const std::initializer_list<aclFormat> nd = {ACL_FORMAT_ND};
  const std::initializer_list<aclFormat> nd_or_ncl = {ACL_FORMAT_ND, ACL_FORMAT_NCL};
  check_tensor(checks, "x1", operands.x1, {ACL_FLOAT4_E2M1}, nd, 2);
  check_tensor(checks, "x2", operands.x2, {ACL_INT8}, {ACL_FORMAT_FRACTAL_NZ}, 2);
  check_tensor(checks, "x1Level0Scale", operands.x1_level0, {ACL_FLOAT}, nd, 2);
  check_tensor(checks, "x2Level0Scale", operands.x2_level0, {ACL_FLOAT}, nd, 2);
  check_tensor(checks, "x1Level1Scale", operands.x1_level1, {ACL_FLOAT8_E8M0}, nd_or_ncl, 3);
  check_tensor(checks, "x2Level1Scale", operands.x2_level1, {ACL_FLOAT8_E8M0}, nd_or_ncl, 3);
  check_tensor(checks, "biasOptional", operands.bias, {ACL_FLOAT}, nd, 1);
  checks.dtype("out", operands.out, kHalves);
  // Any format that lies in rows: this operator writes no fractals.
  checks.not_nz("out", operands.out);
  checks.rank("out", operands.out, 2, 2);
  checks.contiguous("out", operands.out);
}

void check_shapes(const Checks& checks, const Arguments& operands) {
  const int64_t rows = operands.x1->shape[0], depth = operands.x1->shape[1];
  const int64_t cols = operands.x2->shape[0];
  checks.no_empty_dim("x1", operands.x1);
  checks.no_empty_dim("x2", operands.x2);
  checks.call.require(depth % 2 == 0, checks.status, "x1: expected an even K, got ",
                      to_text(operands.x1->shape));
  checks.shape("x2", operands.x2, {cols, depth / 2});
  checks.storage("x2", operands.x2, nz_storage({cols, depth / 2}, kFractalBytes));
  const int64_t groups = arithmetic::blocks_of(depth, arithmetic::kL0Block);
  const int64_t pairs = arithmetic::blocks_of(depth, 2 * arithmetic::kL1Block);
  checks.shape("x1Level0Scale", operands.x1_level0, {rows, groups});
  checks.shape("x2Level0Scale", operands.x2_level0, {groups, cols});
  checks.shape("x1Level1Scale", operands.x1_level1, {rows, pairs, 2});
  checks.shape("x2Level1Scale", operands.x2_level1, {cols, pairs, 2});
  checks.shape("biasOptional", operands.bias, {cols});
  checks.shape("out", operands.out, {rows, cols});
}

void multiply(const Run& run, const Arguments& operands) {
  using arithmetic::Element;
  using arithmetic::OperandOrder;
  const int64_t rows = operands.x1->shape[0], depth = operands.x1->shape[1];
  const int64_t cols = operands.x2->shape[0];
  const int64_t scale_stride = 2 * arithmetic::blocks_of(depth, 2 * arithmetic::kL1Block);
  const void* weight = bytes_of<void>(run, operands.x2);
  if (!arithmetic::nz_pads_are_zero(weight, {cols, depth / 2, kFractalBytes}, 1)) {
    throw KernelFault{
        ACL_ERROR_RT_AICORE_EXCEPTION,
        "aclnnDualLevelQuantMatmulWeightNz: x2: expected zeros in the pads of FRACTAL_NZ"};
  }
  const auto left = arithmetic::mx_operand(
      bytes_of<void>(run, operands.x1), Element::kE2m1, rows, depth, OperandOrder::kRows,
      {bytes_of<uint8_t>(run, operands.x1_level1), scale_stride, 2});
  const auto right =
      arithmetic::mx_operand(weight, Element::kE2m1, cols, depth, OperandOrder::kFractalNz,
                             {bytes_of<uint8_t>(run, operands.x2_level1), scale_stride, 2});
  arithmetic::dual_level_matmul(left, right, bytes_of<float>(run, operands.x1_level0),
                                bytes_of<float>(run, operands.x2_level0),
                                operands.bias ? bytes_of<float>(run, operands.bias) : nullptr,
                                memory(run, operands.out));
}

}  // namespace

aclnnStatus aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize(
    const aclTensor* x1, const aclTensor* x2, const aclTensor* x1_level0_scale,
    const aclTensor* x2_level0_scale, const aclTensor* x1_level1_scale,
    const aclTensor* x2_level1_scale, const aclTensor* bias, bool transpose_x1, bool transpose_x2,
    int64_t level0_group, int64_t level1_group, aclTensor* out, uint64_t* workspace_size,
    aclOpExecutor** executor) {
  return plan(kInfo, workspace_size, executor, [&](Call& call) {
    const Arguments operands = fetch(call, x1, x2, x1_level0_scale, x2_level0_scale,
                                     x1_level1_scale, x2_level1_scale, bias, out);
    const Checks checks{call};
    checks.format("x2", operands.x2, {ACL_FORMAT_FRACTAL_NZ});
    check_tensors(checks, operands);
    check_shapes(checks, operands);
    call.require(!transpose_x1 && transpose_x2, ACLNN_ERR_PARAM_INVALID,
                 "transposeX1, transposeX2: expected false and true");
    call.require(level0_group == arithmetic::kL0Block && level1_group == arithmetic::kL1Block,
                 ACLNN_ERR_PARAM_INVALID,
                 "level0GroupSize, level1GroupSize: expected 512 and 32, got ", level0_group,
                 " and ", level1_group);
    call.workspace(workspace_for(operands.out->elements()));
    call.run([operands](Run& run) { multiply(run, operands); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnDualLevelQuantMatmulWeightNz, kInfo)

// aclnnQuantMatmulV5 (x2 in rows) and aclnnQuantMatmulWeightNz (x2 in FRACTAL_NZ): MX products
// alone.
#include "ascend_emulator/arithmetic/mx_matrix.h"
#include "ascend_emulator/arithmetic/mx_quantization.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

// On other chips these operators exist without the types of MX.
const OperatorInfo kV5{.name = "aclnnQuantMatmulV5",
                       .library = Library::nn,
                       .soc = Soc::a5,
                       .wrong_soc = ACLNN_ERR_PARAM_INVALID};
const OperatorInfo kWeightNz{.name = "aclnnQuantMatmulWeightNz",
                             .library = Library::nn,
                             .soc = Soc::a5,
                             .wrong_soc = ACLNN_ERR_PARAM_INVALID};
const Registration registrations[] = {Registration(kV5), Registration(kWeightNz)};

// Group sizes 1, 1, 32 as one number; 32 alone leaves the others to be inferred.
constexpr int64_t kGroupSizes = int64_t{1} << 32 | int64_t{1} << 16 | 32;

struct Given {
  const aclTensor *x1, *x2, *x1_scale, *x2_scale, *y_scale, *x1_offset, *x2_offset, *y_offset,
      *bias;
  bool transpose_x1, transpose_x2;
  int64_t group_size;
  aclTensor* out;
};

struct Arguments {
  Operand x1, x2, x1_scale, x2_scale, bias, out;
  int64_t rows = 0, cols = 0, depth = 0;
  arithmetic::OperandOrder order = arithmetic::OperandOrder::kRows;
  arithmetic::BlockScales x2_strides;
};

Arguments fetch(Call& call, const Given& given) {
  Arguments arguments;
  arguments.x1 = call.input("x1", given.x1);
  arguments.x2 = call.input("x2", given.x2);
  arguments.x1_scale = call.input("x1Scale", given.x1_scale);
  arguments.x2_scale = call.input("x2Scale", given.x2_scale);
  arguments.bias = call.optional_input("bias", given.bias);
  arguments.out = call.output("out", given.out);
  call.require(!given.y_scale && !given.x1_offset && !given.x2_offset && !given.y_offset,
               ACLNN_ERR_PARAM_INVALID,
               "yScale, x1Offset, x2Offset, yOffset: expected null for MX");
  return arguments;
}

bool is_fp8(aclDataType dtype) {
  return dtype == ACL_FLOAT8_E4M3FN || dtype == ACL_FLOAT8_E5M2;
}

bool is_a8w4(const Arguments& arguments) {
  return arguments.x1->dtype == ACL_FLOAT8_E4M3FN && arguments.x2->dtype == ACL_FLOAT4_E2M1;
}

void check_types(Call& call, const Arguments& arguments) {
  const Checks checks{call};
  checks.dtype("x1", arguments.x1, {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT4_E2M1});
  checks.dtype("x2", arguments.x2, {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT4_E2M1});
  const bool both_fp8 = is_fp8(arguments.x1->dtype) && is_fp8(arguments.x2->dtype);
  call.require(both_fp8 || arguments.x1->dtype == arguments.x2->dtype || is_a8w4(arguments),
               ACLNN_ERR_PARAM_INVALID, "x2: expected fp8 with fp8 or fp4 with fp4, got ",
               dtype_name(arguments.x2->dtype), " with ", dtype_name(arguments.x1->dtype));
  checks.dtype("x1Scale", arguments.x1_scale, {ACL_FLOAT8_E8M0});
  checks.dtype("x2Scale", arguments.x2_scale, {ACL_FLOAT8_E8M0});
  checks.dtype("out", arguments.out, kReals);
  checks.same_dtype("bias", arguments.bias,
                    is_a8w4(arguments) ? arguments.out->dtype : aclDataType{ACL_FLOAT});
  for (const auto& [name, operand] :
       {std::pair{"x1", arguments.x1}, std::pair{"x1Scale", arguments.x1_scale},
        std::pair{"x2Scale", arguments.x2_scale}, std::pair{"bias", arguments.bias},
        std::pair{"out", arguments.out}}) {
    checks.not_nz(name, operand);
  }
}

void check_left(Call& call, bool transposed, Arguments* arguments) {
  const Checks checks{call};
  call.require(!transposed, ACLNN_ERR_PARAM_INVALID, "transposeX1: expected false");
  checks.rank("x1", arguments->x1, 2, 2);
  checks.no_empty_dim("x1", arguments->x1);
  checks.contiguous("x1", arguments->x1);
  arguments->rows = arguments->x1->shape[0];
  arguments->depth = arguments->x1->shape[1];
  const int64_t depth = arguments->depth;
  if (is_a8w4(*arguments)) {
    call.require(depth % 8 == 0, ACLNN_ERR_PARAM_INVALID, "x1: expected K a multiple of 8, got ",
                 depth);
  } else if (arguments->x1->dtype == ACL_FLOAT4_E2M1) {
    call.require(depth % 2 == 0 && depth > 2, ACLNN_ERR_PARAM_INVALID,
                 "x1: expected an even K above 2 for fp4, got ", depth);
  }
  checks.shape("x1Scale", arguments->x1_scale,
               {arguments->rows, arithmetic::blocks_of(depth, 64), 2});
  checks.contiguous("x1Scale", arguments->x1_scale);
}

// x2 [N, K] with scales [N, K/64, 2], or [K, N] with scales [K/64, N, 2]: those two may be views of
// transposed memory, both alike.
void check_right_nd(Call& call, bool transposed, Arguments* arguments) {
  const Checks checks{call};
  const Operand &x2 = arguments->x2, &scale = arguments->x2_scale;
  checks.not_nz("x2", x2);
  checks.rank("x2", x2, 2, 2);
  checks.no_empty_dim("x2", x2);
  const int64_t depth = arguments->depth, pairs = arithmetic::blocks_of(depth, 64);
  arguments->cols = x2->shape[transposed ? 0 : 1];
  const int64_t cols = arguments->cols;
  checks.shape("x2", x2, transposed ? Dims{cols, depth} : Dims{depth, cols});
  checks.shape("x2Scale", scale, transposed ? Dims{cols, pairs, 2} : Dims{pairs, cols, 2});
  if (transposed) {
    checks.contiguous("x2", x2);
    checks.contiguous("x2Scale", scale);
    arguments->x2_strides = {nullptr, 2 * pairs, 2};
    return;
  }
  const bool turned = x2->strides == Dims{1, depth} && !x2->contiguous();
  call.require(turned || x2->contiguous(), ACLNN_ERR_PARAM_INVALID,
               "x2: expected the strides of a matrix or of its transpose, got ",
               to_text(x2->strides));
  const Dims strides = turned ? Dims{2, 2 * pairs, 1} : Dims{2 * cols, 2, 1};
  call.require(scale->strides == strides || (scale->contiguous() && (pairs == 1 || cols == 1)),
               ACLNN_ERR_PARAM_INVALID, "x2Scale: expected strides transposed like x2's, ",
               to_text(strides), ", got ", to_text(scale->strides));
  call.require(turned || x2->dtype != ACL_FLOAT4_E2M1 || cols % 2 == 0, ACLNN_ERR_PARAM_INVALID,
               "x2: expected an even N for fp4 in rows of N, got ", cols);
  arguments->order =
      turned ? arithmetic::OperandOrder::kRows : arithmetic::OperandOrder::kTransposed;
  arguments->x2_strides = turned ? arithmetic::BlockScales{nullptr, 2 * pairs, 2}
                                 : arithmetic::BlockScales{nullptr, 2, 2 * cols};
}

void check_right_nz(Call& call, bool transposed, Arguments* arguments) {
  const Checks checks{call};
  const Operand& x2 = arguments->x2;
  checks.format("x2", x2, {ACL_FORMAT_FRACTAL_NZ});
  checks.dtype("x2", x2, {ACL_FLOAT8_E4M3FN, ACL_FLOAT4_E2M1});
  checks.rank("x2", x2, 2, 2);
  call.require(transposed, ACLNN_ERR_PARAM_INVALID, "transposeX2: expected true");
  arguments->cols = x2->shape[0];
  const int64_t depth = arguments->depth, pairs = arithmetic::blocks_of(depth, 64);
  call.require(arguments->cols > 1, ACLNN_ERR_PARAM_INVALID, "x2: expected N above 1, got ",
               to_text(x2->shape));
  checks.shape("x2", x2, {arguments->cols, depth});
  checks.storage("x2", x2, nz_storage(x2->shape, 256 / bits_per_element(x2->dtype)));
  checks.shape("x2Scale", arguments->x2_scale, {arguments->cols, pairs, 2});
  checks.contiguous("x2Scale", arguments->x2_scale);
  arguments->order = arithmetic::OperandOrder::kFractalNz;
  arguments->x2_strides = {nullptr, 2 * pairs, 2};
}

void check_rest(Call& call, const Given& given, const Arguments& arguments) {
  const Checks checks{call};
  checks.shape("bias", arguments.bias,
               is_a8w4(arguments) ? Dims{1, arguments.cols} : Dims{arguments.cols});
  checks.contiguous("bias", arguments.bias);
  checks.shape("out", arguments.out, {arguments.rows, arguments.cols});
  checks.contiguous("out", arguments.out);
  call.require(given.group_size == kGroupSizes || given.group_size == 32, ACLNN_ERR_PARAM_INVALID,
               "groupSize: expected ", kGroupSizes, " or 32, got ", given.group_size);
}

void multiply(const Run& run, const char* name, Arguments arguments) {
  using arithmetic::Element;
  const void* weight = bytes_of<void>(run, arguments.x2);
  const auto element = static_cast<Element>(arguments.x2->dtype);
  const arithmetic::NzLayout layout{arguments.cols,
                                    arithmetic::element_bytes(element, arguments.depth), 32};
  if (arguments.order == arithmetic::OperandOrder::kFractalNz &&
      !arithmetic::nz_pads_are_zero(weight, layout, 1)) {
    throw KernelFault{ACL_ERROR_RT_AICORE_EXCEPTION,
                      std::string(name) + ": x2: expected zeros in the pads of FRACTAL_NZ"};
  }
  arguments.x2_strides.data = bytes_of<uint8_t>(run, arguments.x2_scale);
  const auto left = arithmetic::mx_operand(
      bytes_of<void>(run, arguments.x1), static_cast<Element>(arguments.x1->dtype), arguments.rows,
      arguments.depth, arithmetic::OperandOrder::kRows,
      {bytes_of<uint8_t>(run, arguments.x1_scale), 2 * arithmetic::blocks_of(arguments.depth, 64),
       2});
  const auto right = arithmetic::mx_operand(weight, element, arguments.cols, arguments.depth,
                                            arguments.order, arguments.x2_strides);
  std::vector<float> bias;
  if (arguments.bias) bias = arithmetic::widened(memory(run, arguments.bias));
  arithmetic::mx_matmul(left, right, arguments.bias ? bias.data() : nullptr,
                        memory(run, arguments.out));
}

aclnnStatus plan_product(const OperatorInfo& info, const Given& given, bool nz,
                         uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(info, workspace_size, executor, [&](Call& call) {
    Arguments arguments = fetch(call, given);
    check_types(call, arguments);
    check_left(call, given.transpose_x1, &arguments);
    if (nz) {
      check_right_nz(call, given.transpose_x2, &arguments);
    } else {
      check_right_nd(call, given.transpose_x2, &arguments);
    }
    check_rest(call, given, arguments);
    call.workspace(workspace_for(arguments.out->elements()));
    const char* name = info.name;
    call.run([name, arguments](Run& run) { multiply(run, name, arguments); });
  });
}

}  // namespace

aclnnStatus aclnnQuantMatmulV5GetWorkspaceSize(
    const aclTensor* x1, const aclTensor* x2, const aclTensor* x1_scale, const aclTensor* x2_scale,
    const aclTensor* y_scale, const aclTensor* x1_offset, const aclTensor* x2_offset,
    const aclTensor* y_offset, const aclTensor* bias, bool transpose_x1, bool transpose_x2,
    int64_t group_size, aclTensor* out, uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_product(kV5,
                      {x1, x2, x1_scale, x2_scale, y_scale, x1_offset, x2_offset, y_offset, bias,
                       transpose_x1, transpose_x2, group_size, out},
                      false, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnQuantMatmulV5, kV5)

aclnnStatus aclnnQuantMatmulWeightNzGetWorkspaceSize(
    const aclTensor* x1, const aclTensor* x2, const aclTensor* x1_scale, const aclTensor* x2_scale,
    const aclTensor* y_scale, const aclTensor* x1_offset, const aclTensor* x2_offset,
    const aclTensor* y_offset, const aclTensor* bias, bool transpose_x1, bool transpose_x2,
    int64_t group_size, aclTensor* out, uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_product(kWeightNz,
                      {x1, x2, x1_scale, x2_scale, y_scale, x1_offset, x2_offset, y_offset, bias,
                       transpose_x1, transpose_x2, group_size, out},
                      true, workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnQuantMatmulWeightNz, kWeightNz)

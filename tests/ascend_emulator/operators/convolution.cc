// aclnnConvolution: three axes (NCDHW), not transposed.
#include "ascend_emulator/arithmetic/convolution.h"

#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kInfo{.name = "aclnnConvolution", .library = Library::nn};
const Registration registered(kInfo);

constexpr int64_t kMostKernel = 511;
constexpr int64_t kMostStride = 63;
constexpr int64_t kMostPadding = 255;

void check_types(Call& call, const Operand& input, const Operand& weight, const Operand& bias,
                 const Operand& out) {
  const Checks checks{call};
  checks.dtype("input", input, kReals);
  checks.same_dtype("weight", weight, input->dtype);
  checks.dtype("bias", bias, {input->dtype, ACL_FLOAT});
  checks.same_dtype("output", out, input->dtype);
  checks.format("input", input, {ACL_FORMAT_NCDHW});
  checks.format("weight", weight, {ACL_FORMAT_NCDHW});
  checks.format("bias", bias, {ACL_FORMAT_ND});
  checks.format("output", out, {ACL_FORMAT_NCDHW});
  checks.rank("input", input, 5, 5);
  checks.rank("weight", weight, 5, 5);
  checks.rank("output", out, 5, 5);
  checks.no_empty_dim("input", input);
  checks.no_empty_dim("weight", weight);
}

std::array<int64_t, 3> three(Call& call, const char* argument, const Dims& values, int64_t least,
                             int64_t most) {
  call.require(values.size() == 3, ACLNN_ERR_PARAM_INVALID, argument,
               ": expected three numbers, got ", to_text(values));
  for (size_t axis = 0; axis < 3; ++axis) {
    // The limits of height and width; depth has none that is known.
    call.require(values[axis] >= least && (axis == 0 || values[axis] <= most),
                 ACLNN_ERR_PARAM_INVALID, argument, ": expected ", least, " to ", most, ", got ",
                 to_text(values));
  }
  return {values[0], values[1], values[2]};
}

void check_shapes(Call& call, const Operand& input, const Operand& weight, const Operand& bias,
                  const Operand& out, const arithmetic::Convolution& convolution) {
  const Checks checks{call};
  const Dims &x = input->shape, &kernel = weight->shape;
  call.require(convolution.groups >= 1 && x[1] == kernel[1] * convolution.groups &&
                   kernel[0] % convolution.groups == 0,
               ACLNN_ERR_PARAM_INVALID, "weight: expected [Cout, ", x[1], " / groups, ...] with ",
               convolution.groups, " groups, got ", to_text(kernel));
  call.require(kernel[3] <= kMostKernel && kernel[4] <= kMostKernel, ACLNN_ERR_PARAM_INVALID,
               "weight: expected a height and width up to 511, got ", to_text(kernel));
  checks.shape("bias", bias, {kernel[0]});
  Dims expected{x[0], kernel[0], 0, 0, 0};
  for (int axis = 0; axis < 3; ++axis) {
    expected[2 + axis] = convolution.out_dim(axis, x[2 + axis], kernel[2 + axis]);
    call.require(expected[2 + axis] > 0, ACLNN_ERR_PARAM_INVALID,
                 "weight: expected a kernel within the padded input ", to_text(x), ", got ",
                 to_text(kernel));
  }
  checks.shape("output", out, expected);
}

}  // namespace

aclnnStatus aclnnConvolutionGetWorkspaceSize(const aclTensor* input, const aclTensor* weight,
                                             const aclTensor* bias, const aclIntArray* stride,
                                             const aclIntArray* padding,
                                             const aclIntArray* dilation, bool transposed,
                                             const aclIntArray* output_padding, int64_t groups,
                                             aclTensor* out, int8_t cube_math_type,
                                             uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kInfo, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("input", input);
    const Operand kernel = call.input("weight", weight);
    const Operand added = call.optional_input("bias", bias);
    const Dims strides = call.int_array("stride", stride);
    const Dims pads = call.int_array("padding", padding);
    const Dims dilations = call.int_array("dilation", dilation);
    call.optional_int_array("outputPadding", output_padding);
    const Operand y = call.output("output", out);
    call.require(!transposed, ACLNN_ERR_PARAM_INVALID, "transposed: expected false");
    check_types(call, x, kernel, added, y);
    const arithmetic::Convolution convolution{three(call, "stride", strides, 1, kMostStride),
                                              three(call, "padding", pads, 0, kMostPadding),
                                              three(call, "dilation", dilations, 1, kMostPadding),
                                              groups};
    check_shapes(call, x, kernel, added, y, convolution);
    call.require(cube_math_type == 0 || (cube_math_type == 1 && x->dtype != ACL_FLOAT),
                 ACLNN_ERR_PARAM_INVALID, "cubeMathType: expected 0, or 1 for 16 bits, got ",
                 static_cast<int>(cube_math_type));
    call.workspace(workspace_for(y->elements()));
    call.run([=](Run& run) {
      const arithmetic::View bias_view = added ? memory(run, added) : arithmetic::View{};
      arithmetic::convolve(memory(run, x), memory(run, kernel), added ? &bias_view : nullptr,
                           convolution, memory(run, y));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnConvolution, kInfo)

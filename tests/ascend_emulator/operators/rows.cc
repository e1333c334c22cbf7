// aclnnLayerNorm, RmsNorm, GeluV2, Silu, Softmax.
#include "ascend_emulator/arithmetic/elementwise.h"
#include "ascend_emulator/arithmetic/row_functions.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kLayerNorm{.name = "aclnnLayerNorm", .library = Library::nn};
const OperatorInfo kRmsNorm{.name = "aclnnRmsNorm", .library = Library::nn};
const OperatorInfo kGeluV2{.name = "aclnnGeluV2", .library = Library::nn, .in_place = true};
const OperatorInfo kSilu{.name = "aclnnSilu", .library = Library::nn, .in_place = true};
const OperatorInfo kSoftmax{.name = "aclnnSoftmax", .library = Library::nn, .in_place = true};
const Registration registrations[] = {Registration(kLayerNorm), Registration(kRmsNorm),
                                      Registration(kGeluV2), Registration(kSilu),
                                      Registration(kSoftmax)};

// Dims of x with the last `count` replaced by ones.
Dims statistics_shape(const Dims& shape, size_t count) {
  Dims result = shape;
  std::fill(result.end() - static_cast<int64_t>(count), result.end(), 1);
  return result;
}

void check_normalized(Call& call, const char* argument, const Dims& shape, const Dims& normalized) {
  const bool fits = !normalized.empty() && normalized.size() <= shape.size() &&
                    std::equal(normalized.rbegin(), normalized.rend(), shape.rbegin());
  call.require(fits, ACLNN_ERR_PARAM_INVALID, argument, ": expected the last dims of ",
               to_text(shape), ", got ", to_text(normalized));
}

void check_pair(Call& call, const Operand& self, const Operand& out) {
  const Checks checks{call};
  checks.dtype("self", self, kReals);
  checks.same_dtype("out", out, self->dtype);
  checks.not_nz("self", self);
  checks.not_nz("out", out);
  checks.rank("self", self, 0, 8);
  checks.shape("out", out, self->shape);
}

// Weights are of x's type or fp32, both of them alike.
void check_affine(Call& call, const Operand& x, const Operand& weight, const Operand& bias,
                  const Dims& shape) {
  const Checks checks{call};
  for (const auto& [name, operand] :
       {std::pair{"weightOptional", weight}, std::pair{"biasOptional", bias}}) {
    checks.dtype(name, operand, {x->dtype, ACL_FLOAT});
    checks.not_nz(name, operand);
    checks.shape(name, operand, shape);
  }
  if (weight) checks.same_dtype("biasOptional", bias, weight->dtype);
}

void check_statistics(Call& call, const Operand& x, const Operand& mean, const Operand& rstd,
                      size_t normalized) {
  const Checks checks{call};
  for (const auto& [name, operand] :
       {std::pair{"meanOutOptional", mean}, std::pair{"rstdOutOptional", rstd}}) {
    checks.dtype(name, operand, {x->dtype, ACL_FLOAT});
    checks.shape(name, operand, statistics_shape(x->shape, normalized));
  }
}

struct NormOperands {
  Operand x, weight, bias, out, mean, rstd;
};

void run_layer_norm(const Run& run, const NormOperands& operands, int64_t length, double epsilon) {
  arithmetic::LayerNorm norm{length, epsilon, nullptr, nullptr};
  arithmetic::View weight, bias, mean, rstd;
  if (operands.weight) norm.weight = &(weight = memory(run, operands.weight));
  if (operands.bias) norm.bias = &(bias = memory(run, operands.bias));
  if (operands.mean) mean = memory(run, operands.mean);
  if (operands.rstd) rstd = memory(run, operands.rstd);
  arithmetic::layer_norm(memory(run, operands.x), norm, memory(run, operands.out),
                         operands.mean ? &mean : nullptr, operands.rstd ? &rstd : nullptr);
}

}  // namespace

aclnnStatus aclnnLayerNormGetWorkspaceSize(const aclTensor* input,
                                           const aclIntArray* normalized_shape,
                                           const aclTensor* weight, const aclTensor* bias,
                                           double eps, aclTensor* out, aclTensor* mean,
                                           aclTensor* rstd, uint64_t* workspace_size,
                                           aclOpExecutor** executor) {
  return plan(kLayerNorm, workspace_size, executor, [&](Call& call) {
    NormOperands operands;
    operands.x = call.input("input", input);
    const Dims normalized = call.int_array("normalizedShape", normalized_shape);
    operands.weight = call.optional_input("weightOptional", weight);
    operands.bias = call.optional_input("biasOptional", bias);
    operands.out = call.output("out", out);
    operands.mean = call.optional_output("meanOutOptional", mean);
    operands.rstd = call.optional_output("rstdOutOptional", rstd);
    check_pair(call, operands.x, operands.out);
    check_normalized(call, "normalizedShape", operands.x->shape, normalized);
    check_affine(call, operands.x, operands.weight, operands.bias, normalized);
    check_statistics(call, operands.x, operands.mean, operands.rstd, normalized.size());
    const int64_t length = element_count(normalized);
    call.run([=](Run& run) { run_layer_norm(run, operands, length, eps); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnLayerNorm, kLayerNorm)

aclnnStatus aclnnRmsNormGetWorkspaceSize(const aclTensor* x, const aclTensor* gamma, double eps,
                                         aclTensor* y, aclTensor* rstd, uint64_t* workspace_size,
                                         aclOpExecutor** executor) {
  return plan(kRmsNorm, workspace_size, executor, [&](Call& call) {
    const Operand input = call.input("x", x);
    const Operand weight = call.input("gamma", gamma);
    const Operand out = call.output("y", y);
    const Operand statistics = call.output("rstd", rstd);
    check_pair(call, input, out);
    const Checks checks{call};
    checks.dtype("gamma", weight, {input->dtype, ACL_FLOAT});
    checks.not_nz("gamma", weight);
    check_normalized(call, "gamma", input->shape, weight->shape);
    checks.dtype("rstd", statistics, {ACL_FLOAT});
    checks.shape("rstd", statistics, statistics_shape(input->shape, weight->shape.size()));
    call.run([=](Run& run) {
      arithmetic::rms_norm(memory(run, input), memory(run, weight), eps, memory(run, out),
                           memory(run, statistics));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnRmsNorm, kRmsNorm)

aclnnStatus aclnnGeluV2GetWorkspaceSize(const aclTensor* x, int64_t approximate, aclTensor* y,
                                        uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kGeluV2, workspace_size, executor, [&](Call& call) {
    const Operand input = call.input("x", x);
    const Operand out = call.output("y", y);
    check_pair(call, input, out);
    call.require(approximate == 0 || approximate == 1, ACLNN_ERR_PARAM_INVALID,
                 "approximate: expected 0 or 1, got ", approximate);
    const auto kind = static_cast<arithmetic::Gelu>(approximate);
    call.run([=](Run& run) { arithmetic::gelu(memory(run, input), kind, memory(run, out)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnGeluV2, kGeluV2)

aclnnStatus aclnnSiluGetWorkspaceSize(const aclTensor* self, aclTensor* out,
                                      uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kSilu, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("self", self);
    const Operand y = call.output("out", out);
    check_pair(call, x, y);
    call.run([=](Run& run) { arithmetic::silu(memory(run, x), memory(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnSilu, kSilu)

aclnnStatus aclnnSoftmaxGetWorkspaceSize(const aclTensor* self, int64_t dim, aclTensor* out,
                                         uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kSoftmax, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("self", self);
    const Operand y = call.output("out", out);
    check_pair(call, x, y);
    const int64_t axis = axis_from_front(dim, x->rank());
    call.require(axis >= 0, ACLNN_ERR_PARAM_INVALID, "dim: expected an axis of ", to_text(x->shape),
                 ", got ", dim);
    call.run([=](Run& run) { arithmetic::softmax(memory(run, x), axis, memory(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnSoftmax, kSoftmax)

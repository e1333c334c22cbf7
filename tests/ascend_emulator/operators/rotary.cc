// aclnnRotaryPositionEmbedding: wrong shapes are found by tiling (561002).
#include "ascend_emulator/arithmetic/elementwise.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kInfo{.name = "aclnnRotaryPositionEmbedding", .library = Library::transformer};
const Registration registered(kInfo);

constexpr int64_t kMostChannels = 1024;

void check_shapes(Call& call, const Operand& x, const Operand& cos, const Operand& sin,
                  const Operand& out) {
  const Checks checks{call, ACLNN_ERR_INNER_TILING_ERROR};
  checks.rank("x", x, 3, 4);
  checks.no_empty_dim("x", x);
  const int64_t channels = x->shape.back();
  call.require(channels % 2 == 0 && channels <= kMostChannels, ACLNN_ERR_INNER_TILING_ERROR,
               "x: expected an even last dim up to 1024, got ", to_text(x->shape));
  Dims shape;
  call.require(cos->rank() == x->rank() && cos->shape.back() == channels &&
                   arithmetic::broadcast_dims(x->shape, cos->shape, &shape) && shape == x->shape,
               ACLNN_ERR_INNER_TILING_ERROR, "cos: expected a shape that broadcasts to ",
               to_text(x->shape), ", got ", to_text(cos->shape));
  checks.shape("sin", sin, cos->shape);
  checks.shape("out", out, x->shape);
}

}  // namespace

aclnnStatus aclnnRotaryPositionEmbeddingGetWorkspaceSize(const aclTensor* x, const aclTensor* cos,
                                                         const aclTensor* sin, int64_t mode,
                                                         aclTensor* out, uint64_t* workspace_size,
                                                         aclOpExecutor** executor) {
  return plan(kInfo, workspace_size, executor, [&](Call& call) {
    const Operand input = call.input("x", x);
    const Operand cosines = call.input("cos", cos);
    const Operand sines = call.input("sin", sin);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    checks.dtype("x", input, kReals);
    for (const auto& [name, operand] :
         {std::pair{"cos", cosines}, std::pair{"sin", sines}, std::pair{"out", y}}) {
      checks.same_dtype(name, operand, input->dtype);
      checks.not_nz(name, operand);
    }
    checks.not_nz("x", input);
    call.require(mode == 0 || mode == 1, ACLNN_ERR_PARAM_INVALID,
                 "mode: expected 0 (half) or 1 (interleave), got ", mode);
    check_shapes(call, input, cosines, sines, y);
    const auto rotation = static_cast<arithmetic::Rotation>(mode);
    call.run([=](Run& run) {
      arithmetic::rotary_embedding(memory(run, input), memory(run, cosines), memory(run, sines),
                                   rotation, memory(run, y));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnRotaryPositionEmbedding, kInfo)

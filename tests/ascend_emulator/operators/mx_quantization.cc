// aclnnDynamicDualLevelMxQuant and aclnnDynamicMxQuant (V2, V3): generated operators. Their types
// are checked by the interface (161002), shapes and attributes by tiling (561002).
#include "ascend_emulator/arithmetic/mx_quantization.h"

#include <cmath>
#include <optional>
#include <string_view>

#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

constexpr OperatorInfo generated(const char* name, const char* since) {
  return {.name = name,
          .library = Library::nn,
          .since = since,
          .soc = Soc::a5,
          .origin = Origin::generated};
}
const OperatorInfo kDual = generated("aclnnDynamicDualLevelMxQuant", "9.0");
const OperatorInfo kMx = generated("aclnnDynamicMxQuant", "8.5");
const OperatorInfo kMxV2 = generated("aclnnDynamicMxQuantV2", "9.1");
const OperatorInfo kMxV3 = generated("aclnnDynamicMxQuantV3", "9.2");
const Registration registrations[] = {Registration(kDual), Registration(kMx), Registration(kMxV2),
                                      Registration(kMxV3)};

constexpr aclnnStatus kTiling = ACLNN_ERR_INNER_TILING_ERROR;

std::optional<arithmetic::RoundMode> round_mode_of(const char* name) {
  const std::string_view mode = name;
  if (mode == "rint") return arithmetic::RoundMode::kRint;
  if (mode == "round") return arithmetic::RoundMode::kRound;
  if (mode == "floor") return arithmetic::RoundMode::kFloor;
  return std::nullopt;
}

Dims with_last(const Dims& shape, std::initializer_list<int64_t> last) {
  Dims result(shape.begin(), shape.end() - 1);
  result.insert(result.end(), last);
  return result;
}

void check_dual_types(Call& call, const Operand& x, const Operand& smooth, const Operand& y,
                      const Operand& level0, const Operand& level1) {
  const Checks checks{call};
  checks.dtype("x", x, kHalves);
  checks.same_dtype("smoothScaleOptional", smooth, x->dtype);
  checks.dtype("yOut", y, {ACL_FLOAT4_E2M1});
  checks.dtype("level0ScaleOut", level0, {ACL_FLOAT});
  checks.dtype("level1ScaleOut", level1, {ACL_FLOAT8_E8M0});
  checks.format("x", x, {ACL_FORMAT_ND});
  checks.format("smoothScaleOptional", smooth, {ACL_FORMAT_ND});
  checks.format("yOut", y, {ACL_FORMAT_ND});
  checks.format("level0ScaleOut", level0, {ACL_FORMAT_ND});
  checks.format("level1ScaleOut", level1, {ACL_FORMAT_ND});
}

void check_dual_shapes(Call& call, const Operand& x, const Operand& smooth, const Operand& y,
                       const Operand& level0, const Operand& level1) {
  const Checks checks{call, kTiling};
  checks.rank("x", x, 1, 7);
  checks.no_empty_dim("x", x);
  const int64_t length = x->shape.back();
  call.require(length % 2 == 0, kTiling, "x: expected an even last dim, got ", to_text(x->shape));
  checks.shape("smoothScaleOptional", smooth, {length});
  checks.contiguous("smoothScaleOptional", smooth);
  checks.shape("yOut", y, x->shape);
  checks.shape("level0ScaleOut", level0,
               with_last(x->shape, {arithmetic::blocks_of(length, arithmetic::kL0Block)}));
  checks.shape("level1ScaleOut", level1,
               with_last(x->shape, {arithmetic::blocks_of(length, 2 * arithmetic::kL1Block), 2}));
  checks.contiguous("yOut", y);
  checks.contiguous("level0ScaleOut", level0);
  checks.contiguous("level1ScaleOut", level1);
}

struct MxArguments {
  const aclTensor* x;
  int64_t axis;
  const char* round_mode;
  int64_t dst_type;
  int64_t block_size;
  int64_t scale_alg;
  double dst_type_max = 0;
  double max_low_bound = 0;
  aclTensor* y;
  aclTensor* mxscale;
};

arithmetic::MxQuantization check_mx_attributes(Call& call, const MxArguments& arguments) {
  const bool fp4 = arguments.dst_type == ACL_FLOAT4_E2M1;
  // E1M2 (41) and the rules of alg 2, with dstTypeMax, are those of the device that nothing here
  // needs.
  call.require(
      fp4 || arguments.dst_type == ACL_FLOAT8_E4M3FN || arguments.dst_type == ACL_FLOAT8_E5M2,
      kTiling, "dstType: expected 35, 36 or 40, got ", arguments.dst_type);
  const auto mode = round_mode_of(arguments.round_mode ? arguments.round_mode : "rint");
  call.require(mode && (fp4 || *mode == arithmetic::RoundMode::kRint), kTiling,
               "roundModeOptional: expected ", fp4 ? "rint, round or floor" : "rint for fp8",
               ", got ", arguments.round_mode ? arguments.round_mode : "null");
  call.require(
      arguments.block_size > 0 && arguments.block_size <= 1024 && arguments.block_size % 32 == 0,
      kTiling, "blocksize: expected a multiple of 32 up to 1024, got ", arguments.block_size);
  call.require(arguments.scale_alg == 0 || (arguments.scale_alg == 1 && !fp4), kTiling,
               "scaleAlg: expected 0, or 1 for fp8, got ", arguments.scale_alg);
  call.require(arguments.dst_type_max == 0, kTiling, "dstTypeMax: expected 0, got ",
               arguments.dst_type_max);
  const double bound = arguments.max_low_bound;
  call.require(bound == 0 || (arguments.scale_alg == 1 && bound > 0 && std::isfinite(bound)),
               kTiling, "maxLowBound: expected 0, or a positive number with scaleAlg 1, got ",
               bound);
  return {static_cast<arithmetic::Element>(arguments.dst_type), *mode, arguments.block_size,
          static_cast<arithmetic::ScaleRule>(arguments.scale_alg), static_cast<float>(bound)};
}

void check_mx_shapes(Call& call, const MxArguments& arguments, const Operand& x, const Operand& y,
                     const Operand& scales) {
  const Checks checks{call, kTiling};
  checks.rank("x", x, 1, 7);
  checks.no_empty_dim("x", x);
  const int64_t length = x->shape.back();
  call.require(axis_from_front(arguments.axis, x->rank()) == x->rank() - 1, kTiling,
               "axis: expected the last of ", to_text(x->shape), ", got ", arguments.axis);
  call.require(y->dtype != ACL_FLOAT4_E2M1 || length % 2 == 0, kTiling,
               "x: expected an even last dim for fp4, got ", to_text(x->shape));
  call.require(x->dtype != ACL_FLOAT || (arguments.block_size == 32 && length >= 32), kTiling,
               "x: expected blocks of 32 and a last dim of at least 32 for FLOAT, got ",
               arguments.block_size, " and ", to_text(x->shape));
  checks.shape("yOut", y, x->shape);
  const int64_t blocks = arithmetic::blocks_of(length, arguments.block_size);
  checks.shape("mxscaleOut", scales, with_last(x->shape, {arithmetic::blocks_of(blocks, 2), 2}));
  checks.contiguous("yOut", y);
  checks.contiguous("mxscaleOut", scales);
}

aclnnStatus plan_mx(const OperatorInfo& info, const MxArguments& arguments,
                    uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(info, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("x", arguments.x);
    const Operand y = call.output("yOut", arguments.y);
    const Operand scales = call.output("mxscaleOut", arguments.mxscale);
    const Checks checks{call};
    checks.dtype("x", x, kReals);
    checks.dtype("yOut", y, {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT4_E2M1});
    checks.dtype("mxscaleOut", scales, {ACL_FLOAT8_E8M0});
    checks.format("x", x, {ACL_FORMAT_ND});
    checks.format("yOut", y, {ACL_FORMAT_ND});
    checks.format("mxscaleOut", scales, {ACL_FORMAT_ND});
    const auto quantization = check_mx_attributes(call, arguments);
    call.require(y->dtype == arguments.dst_type, kTiling, "yOut: expected dtype ",
                 dtype_name(static_cast<aclDataType>(arguments.dst_type)), ", got ",
                 dtype_name(y->dtype));
    check_mx_shapes(call, arguments, x, y, scales);
    call.workspace(workspace_for(x->elements()));
    call.run([=](Run& run) {
      arithmetic::mx_quant(memory(run, x), quantization, bytes_of<uint8_t>(run, y),
                           bytes_of<uint8_t>(run, scales));
    });
  });
}

}  // namespace

aclnnStatus aclnnDynamicDualLevelMxQuantGetWorkspaceSize(
    const aclTensor* x, const aclTensor* smooth_scale, char* round_mode, int64_t level0_block,
    int64_t level1_block, aclTensor* y, aclTensor* level0_scale, aclTensor* level1_scale,
    uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kDual, workspace_size, executor, [&](Call& call) {
    const Operand input = call.input("x", x);
    const Operand smooth = call.optional_input("smoothScaleOptional", smooth_scale);
    call.require(round_mode != nullptr, ACLNN_ERR_PARAM_NULLPTR, "roundMode: null");
    const Operand out = call.output("yOut", y);
    const Operand level0 = call.output("level0ScaleOut", level0_scale);
    const Operand level1 = call.output("level1ScaleOut", level1_scale);
    check_dual_types(call, input, smooth, out, level0, level1);
    const auto mode = round_mode_of(round_mode);
    call.require(mode.has_value(), kTiling, "roundMode: expected rint, round or floor, got ",
                 round_mode);
    call.require(level0_block == arithmetic::kL0Block && level1_block == arithmetic::kL1Block,
                 kTiling, "level0BlockSize, level1BlockSize: expected 512 and 32, got ",
                 level0_block, " and ", level1_block);
    check_dual_shapes(call, input, smooth, out, level0, level1);
    call.workspace(workspace_for(input->elements()));
    call.run([=](Run& run) {
      arithmetic::dual_level_mx_quant(memory(run, input),
                                      smooth ? bytes_of<void>(run, smooth) : nullptr, *mode,
                                      bytes_of<uint8_t>(run, out), bytes_of<float>(run, level0),
                                      bytes_of<uint8_t>(run, level1));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnDynamicDualLevelMxQuant, kDual)

aclnnStatus aclnnDynamicMxQuantGetWorkspaceSize(const aclTensor* x, int64_t axis, char* round_mode,
                                                int64_t dst_type, int64_t block_size,
                                                int64_t scale_alg, aclTensor* y, aclTensor* mxscale,
                                                uint64_t* workspace_size,
                                                aclOpExecutor** executor) {
  return plan_mx(kMx,
                 {.x = x,
                  .axis = axis,
                  .round_mode = round_mode,
                  .dst_type = dst_type,
                  .block_size = block_size,
                  .scale_alg = scale_alg,
                  .y = y,
                  .mxscale = mxscale},
                 workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnDynamicMxQuant, kMx)

aclnnStatus aclnnDynamicMxQuantV2GetWorkspaceSize(const aclTensor* x, int64_t axis,
                                                  char* round_mode, int64_t dst_type,
                                                  int64_t block_size, int64_t scale_alg,
                                                  double dst_type_max, aclTensor* y,
                                                  aclTensor* mxscale, uint64_t* workspace_size,
                                                  aclOpExecutor** executor) {
  return plan_mx(kMxV2,
                 {.x = x,
                  .axis = axis,
                  .round_mode = round_mode,
                  .dst_type = dst_type,
                  .block_size = block_size,
                  .scale_alg = scale_alg,
                  .dst_type_max = dst_type_max,
                  .y = y,
                  .mxscale = mxscale},
                 workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnDynamicMxQuantV2, kMxV2)

aclnnStatus aclnnDynamicMxQuantV3GetWorkspaceSize(
    const aclTensor* x, int64_t axis, char* round_mode, int64_t dst_type, int64_t block_size,
    int64_t scale_alg, double dst_type_max, double max_low_bound, aclTensor* y, aclTensor* mxscale,
    uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan_mx(kMxV3,
                 {.x = x,
                  .axis = axis,
                  .round_mode = round_mode,
                  .dst_type = dst_type,
                  .block_size = block_size,
                  .scale_alg = scale_alg,
                  .dst_type_max = dst_type_max,
                  .max_low_bound = max_low_bound,
                  .y = y,
                  .mxscale = mxscale},
                 workspace_size, executor);
}
ASCEND_OPERATOR_LAUNCH(aclnnDynamicMxQuantV3, kMxV3)

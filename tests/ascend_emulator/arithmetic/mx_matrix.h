// Matrix products of quantized operands: DualLevelQuantMatmulWeightNz, QuantMatmulV5/WeightNz.
#pragma once

#include "ascend_emulator/arithmetic/matrix.h"

namespace ascend_emulator::arithmetic {

// Block codes of a row: data[row * row_stride + block / 2 * pair_stride + block % 2].
struct BlockScales {
  const uint8_t* data = nullptr;
  int64_t row_stride = 0;
  int64_t pair_stride = 2;
};

// Elements of one side as codes [rows, depth], one a byte, with the scales of their blocks of 32.
struct MxOperand {
  Element element = Element::kE2m1;
  int64_t rows = 0;
  int64_t depth = 0;
  std::vector<uint8_t> codes;
  BlockScales scales;
};

// From memory: dense [rows, depth], dense [depth, rows] (E2M1 then packed along rows), or
// FRACTAL_NZ of [rows, bytes of a row] with C0 = 32 bytes.
enum class OperandOrder { kRows, kTransposed, kFractalNz };
MxOperand mx_operand(const void* data, Element element, int64_t rows, int64_t depth,
                     OperandOrder order, const BlockScales& scales);

// out[m,n] = bias[n] + sum over groups of 512 of c_g * fp32(left_l0[m,g] * right_l0[g,n]): fp32,
// starting at the bias, product and sum rounded apart, c_g summed exactly before it becomes fp32.
// left_l0 [M, ceil(K/512)], right_l0 [ceil(K/512), N], bias null or [N]; out [M, N].
void dual_level_matmul(const MxOperand& left, const MxOperand& right, const float* left_l0,
                       const float* right_l0, const float* bias, const View& out);

// out[m,n] = bias[n] + sum over blocks, all in double, then fp32, then out's type.
void mx_matmul(const MxOperand& left, const MxOperand& right, const float* bias, const View& out);

}  // namespace ascend_emulator::arithmetic

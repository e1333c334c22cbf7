#include "ascend_emulator/arithmetic/mx_matrix.h"

#include <array>

#include "ascend_emulator/arithmetic/dot_products.h"
#include "ascend_emulator/arithmetic/mx_quantization.h"

namespace ascend_emulator::arithmetic {
namespace {

// Bytes as stored to one code a byte.
void unpack(Element element, const uint8_t* bytes, int64_t count, uint8_t* codes) {
  if (element != Element::kE2m1) {
    std::copy(bytes, bytes + count, codes);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    codes[i] = static_cast<uint8_t>(bytes[i / 2] >> (i % 2 * 4) & 0xf);
  }
}

void unpack_nz(const uint8_t* bytes, MxOperand* operand) {
  const int64_t row_bytes = element_bytes(operand->element, operand->depth);
  std::vector<uint8_t> line(static_cast<size_t>(operand->rows * row_bytes));
  nz_to_nd(bytes, {operand->rows, row_bytes, 32}, 1, 1, line.data());
  for (int64_t row = 0; row < operand->rows; ++row) {
    unpack(operand->element, line.data() + row * row_bytes, operand->depth,
           operand->codes.data() + row * operand->depth);
  }
}

void unpack_transposed(const uint8_t* bytes, MxOperand* operand) {
  std::vector<uint8_t> codes(operand->codes.size());
  unpack(operand->element, bytes, operand->rows * operand->depth, codes.data());
  copy_elements(
      {codes.data(), Element::kUint8, {operand->rows, operand->depth}, {1, operand->rows}},
      dense_view(operand->codes.data(), Element::kUint8, {operand->rows, operand->depth}));
}

std::array<double, 256> element_values(Element element) {
  std::array<double, 256> values{};
  for (int code = 0; code < 256; ++code) {
    const auto bits = static_cast<uint8_t>(code);
    if (element == Element::kE4m3fn) {
      values[code] = e4m3fn_to_float(bits);
    } else {
      values[code] = element == Element::kE5m2 ? e5m2_to_float(bits) : e2m1_to_float(bits & 0xf);
    }
  }
  return values;
}

std::array<double, 256> scale_values() {
  std::array<double, 256> values{};
  for (int code = 0; code < 256; ++code) values[code] = e8m0_to_double(static_cast<uint8_t>(code));
  return values;
}

// Elements times their block's scale: at most 4 bits times a power of two, exact in double.
PanelSource panels(const MxOperand& operand) {
  return panels_of_rows(
      [&operand, values = element_values(operand.element), powers = scale_values()](
          int64_t row, int64_t k0, int64_t count, double* out) {
        const uint8_t* codes = operand.codes.data() + row * operand.depth + k0;
        const uint8_t* scales = operand.scales.data + row * operand.scales.row_stride;
        for (int64_t k = 0; k < count;) {
          const int64_t block = (k0 + k) / kL1Block;
          const double scale = powers[scales[block / 2 * operand.scales.pair_stride + block % 2]];
          const int64_t end = std::min(count, (block + 1) * kL1Block - k0);
          for (; k < end; ++k) out[k] = values[codes[k]] * scale;
        }
      });
}

std::vector<float> start_at_bias(const float* bias, int64_t rows, int64_t cols) {
  std::vector<float> sums(static_cast<size_t>(rows * cols));
  for (int64_t row = 0; bias && row < rows; ++row) {
    std::copy(bias, bias + cols, sums.begin() + row * cols);
  }
  return sums;
}

}  // namespace

MxOperand mx_operand(const void* data, Element element, int64_t rows, int64_t depth,
                     OperandOrder order, const BlockScales& scales) {
  MxOperand operand{element, rows, depth, {}, scales};
  operand.codes.resize(static_cast<size_t>(rows * depth));
  const auto* bytes = static_cast<const uint8_t*>(data);
  if (order == OperandOrder::kFractalNz) {
    unpack_nz(bytes, &operand);
  } else if (order == OperandOrder::kTransposed) {
    unpack_transposed(bytes, &operand);
  } else {
    unpack(element, bytes, rows * depth, operand.codes.data());
  }
  return operand;
}

void dual_level_matmul(const MxOperand& left, const MxOperand& right, const float* left_l0,
                       const float* right_l0, const float* bias, const View& out) {
  const int64_t cols = right.rows;
  const int64_t groups = blocks_of(left.depth, kL0Block);
  std::vector<float> sums = start_at_bias(bias, left.rows, cols);
  dot_products({left.rows, cols, left.depth, kL0Block}, panels(left), panels(right),
               [&](const DotTile& tile) {
                 const int64_t group = tile.k0 / kL0Block;
                 const float* right_scales = right_l0 + group * cols + tile.col0;
                 for (int64_t i = 0; i < tile.rows; ++i) {
                   const float left_scale = left_l0[(tile.row0 + i) * groups + group];
                   float* line = sums.data() + (tile.row0 + i) * cols + tile.col0;
                   for (int64_t j = 0; j < tile.cols; ++j) {
                     const float scale = left_scale * right_scales[j];
                     const float term = static_cast<float>(tile.sums[i * tile.stride + j]) * scale;
                     line[j] = line[j] + term;
                   }
                 }
               });
  store(sums.data(), out);
}

void mx_matmul(const MxOperand& left, const MxOperand& right, const float* bias, const View& out) {
  const int64_t cols = right.rows;
  std::vector<float> results(static_cast<size_t>(left.rows * cols));
  dot_products({left.rows, cols, left.depth, 0}, panels(left), panels(right),
               [&](const DotTile& tile) {
                 for (int64_t i = 0; i < tile.rows; ++i) {
                   float* line = results.data() + (tile.row0 + i) * cols + tile.col0;
                   for (int64_t j = 0; j < tile.cols; ++j) {
                     const double start = bias ? bias[tile.col0 + j] : 0.0;
                     line[j] = static_cast<float>(start + tile.sums[i * tile.stride + j]);
                   }
                 }
               });
  store(results.data(), out);
}

}  // namespace ascend_emulator::arithmetic

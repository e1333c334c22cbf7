// Reading quantized matrices.
#include <cmath>

#include "backend/cpu/scalar/elements.h"
#include "backend/cpu/scalar/kernels.h"

namespace mxdit::cpu::scalar {
namespace {

float block_scale_of(const QuantizedRows& matrix, int64_t row, int64_t column) noexcept {
  if (matrix.block_type == BlockScale::none) return 1.0f;
  const uint8_t* code = matrix.block_scale + row * matrix.block_stride + column / matrix.block;
  if (matrix.block_type == BlockScale::e4m3) return load(code, Element::f8_e4m3, 0);
  return *code == 0xff ? std::nanf("") : std::ldexp(1.0f, *code - 127);
}

float element_of(const QuantizedRows& matrix, int64_t row, int64_t column) noexcept {
  return decode(matrix.elements + row * matrix.element_stride, matrix.code, column);
}

}  // namespace

void dequantize(const DequantizeArgs& args, int64_t begin, int64_t end) noexcept {
  const QuantizedRows& in = args.in;
  for (int64_t row = begin; row < end; ++row)
    for (int64_t c = 0; c < args.columns; ++c) {
      double scale = block_scale_of(in, row, c);  // every product is exact in double
      if (in.scale != nullptr) scale *= in.scale[row * in.scale_stride + c / in.group];
      args.out[row * args.columns + c] = static_cast<float>(element_of(in, row, c) * scale);
    }
}

void pack_quantized(const PackQuantizedArgs& args) noexcept {
  for (int64_t first = 0, panel = 0; first < args.count; first += args.width, ++panel) {
    float* out = args.out + panel * args.panel_stride;
    for (int64_t r = 0; r < args.width; ++r) {
      const bool valid = first + r < args.count;
      const int64_t row = args.first + first + r;
      for (int64_t k = 0; k < args.k; ++k) {
        const int64_t column = args.offset + k;
        out[k * args.width + r] = valid ? element_of(*args.matrix, row, column) *
                                              block_scale_of(*args.matrix, row, column)
                                        : 0.0f;
      }
    }
  }
}

}  // namespace mxdit::cpu::scalar

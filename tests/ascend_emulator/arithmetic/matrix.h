// Matrix products of plain element types: Matmul, Mm, BatchMatMul, Addmm, MatmulWeightNz.
//
// out = bias + left * right; sums in double, one rounding to fp32, then to out's type.
#pragma once

#include "ascend_emulator/arithmetic/view.h"

namespace ascend_emulator::arithmetic {

// FRACTAL_NZ of [rows, cols]: storage [ceil(cols/c0), ceil(rows/16), 16, c0], row major.
struct NzLayout {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t c0 = 16;

  int64_t fractal_rows() const { return (rows + 15) / 16; }
  int64_t storage_elements() const { return (cols + c0 - 1) / c0 * fractal_rows() * 16 * c0; }
  int64_t offset(int64_t row, int64_t col) const {
    return (col / c0 * fractal_rows() + row / 16) * 16 * c0 + row % 16 * c0 + col % c0;
  }
};

// left [.., M, K], right [.., K, N], out [.., M, N]; the leading dims of left and right broadcast.
void matmul(const View& left, const View& right, const View& out);
// out [M, N] = beta * self (broadcast to [M, N]) + alpha * (left * right)
void addmm(const View& self, const View& left, const View& right, double beta, double alpha,
           const View& out);
// left [M, K]; right in NZ, either of [K, N] or (transposed) of [N, K].
void matmul_weight_nz(const View& left, const void* right, const NzLayout& layout, bool transposed,
                      const View& out);

// ND [.., R, C] of items of `bytes` bytes to and from NZ; the pads of the storage become zero.
void nd_to_nz(const void* source, const NzLayout& layout, int64_t batch, int64_t bytes, void* out);
void nz_to_nd(const void* source, const NzLayout& layout, int64_t batch, int64_t bytes, void* out);
// What hardware multiplies with the pads is undefined unless they are zero.
bool nz_pads_are_zero(const void* storage, const NzLayout& layout, int64_t bytes);

}  // namespace ascend_emulator::arithmetic

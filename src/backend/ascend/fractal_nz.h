// FRACTAL_NZ, the layout in which the cube unit reads weights.
//
// A matrix [R, C] becomes [ceil(C / c), ceil(R / 16), 16, c], row major, with zeros where it ends
// inside a fractal; c elements are 32 bytes, so that a fractal is 512. Element (r, k) lies at
//   ((k / c) * ceil(R / 16) + r / 16) * 16 * c + r % 16 * c + k % c.
// Packed fp4 counts as bytes [R, C / 2]: the layout of native fp4, whose c is 64, has the same ones.
// Source: the storage that CANN's NpuFormatCast gives a matrix, and the addresses its matrix
// products read.
#pragma once

#include "core/tensor.h"

namespace mxdit::ascend {

inline constexpr int64_t kFractalRows = 16;
inline constexpr int64_t kFractalRowBytes = 32;

// Extents of the storage of a matrix [rows, columns] of elements of `element_bytes` (1, 2 or 4).
Shape fractal_nz_shape(int64_t rows, int64_t columns, int64_t element_bytes);

// Place of an element in that storage.
int64_t fractal_nz_offset(int64_t row, int64_t column, int64_t rows, int64_t element_bytes);

// A host matrix [R, C] in that layout, in host memory. What the native cast does on the device.
Tensor to_fractal_nz(const Tensor& matrix);

}  // namespace mxdit::ascend

#include "backend/ascend/fractal_nz.h"

#include <algorithm>
#include <cstring>

namespace mxdit::ascend {
namespace {

int64_t blocks(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

}  // namespace

Shape fractal_nz_shape(int64_t rows, int64_t columns, int64_t element_bytes) {
  const int64_t width = kFractalRowBytes / element_bytes;
  return {blocks(columns, width), blocks(rows, kFractalRows), kFractalRows, width};
}

int64_t fractal_nz_offset(int64_t row, int64_t column, int64_t rows, int64_t element_bytes) {
  const int64_t width = kFractalRowBytes / element_bytes;
  const int64_t fractal = column / width * blocks(rows, kFractalRows) + row / kFractalRows;
  return fractal * kFractalRows * width + row % kFractalRows * width + column % width;
}

Tensor to_fractal_nz(const Tensor& matrix) {
  MXDIT_CHECK(matrix.shape().rank() == 2, "[backend] FRACTAL_NZ: expected [R, C], got ",
              matrix.shape());
  const int64_t rows = matrix.dim(0), columns = matrix.dim(1);
  const auto size = static_cast<int64_t>(element_size(matrix.dtype()));
  const int64_t width = kFractalRowBytes / size;
  Tensor result = Tensor::host(matrix.dtype(), fractal_nz_shape(rows, columns, size));
  auto* to = static_cast<char*>(result.mutable_data());
  const auto* from = static_cast<const char*>(matrix.data());
  std::memset(to, 0, result.bytes());
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; column += width) {
      const int64_t run = std::min(width, columns - column);
      std::memcpy(to + fractal_nz_offset(row, column, rows, size) * size,
                  from + (row * columns + column) * size, static_cast<size_t>(run * size));
    }
  return result;
}

}  // namespace mxdit::ascend

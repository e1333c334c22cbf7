#include "backend/ascend/fractal_nz.h"

#include <gtest/gtest.h>

#include <set>

namespace mxdit::ascend {
namespace {

// Places worked out by hand for a matrix of 48 rows and 256 columns, row 37, column 201.
TEST(FractalNz, PlacesOfKnownElements) {
  EXPECT_EQ(fractal_nz_shape(48, 128, 1), (Shape{4, 3, 16, 32}));  // fp4 as bytes
  EXPECT_EQ(fractal_nz_offset(37, 100, 48, 1), 5796);
  EXPECT_EQ(fractal_nz_shape(48, 256, 1), (Shape{8, 3, 16, 32}));  // fp8
  EXPECT_EQ(fractal_nz_offset(37, 201, 48, 1), 10409);
  EXPECT_EQ(fractal_nz_shape(48, 256, 2), (Shape{16, 3, 16, 16}));  // bf16
  EXPECT_EQ(fractal_nz_offset(37, 201, 48, 2), 9817);
}

// Every element once, zeros everywhere else.
template <typename T>
void expect_permutation(DType dtype, int64_t rows, int64_t columns) {
  Tensor matrix = Tensor::host(dtype, {rows, columns});
  for (int64_t i = 0; i < matrix.elements(); ++i)
    matrix.as_mutable<T>()[i] = static_cast<T>(i % 251 + 1);
  const Tensor nz = to_fractal_nz(matrix);
  std::set<int64_t> places;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t place = fractal_nz_offset(r, c, rows, sizeof(T));
      EXPECT_EQ(nz.as<T>()[place], matrix.as<T>()[r * columns + c]) << r << ", " << c;
      places.insert(place);
    }
  EXPECT_EQ(static_cast<int64_t>(places.size()), matrix.elements());
  for (int64_t i = 0; i < nz.elements(); ++i)
    EXPECT_TRUE(places.contains(i) || nz.as<T>()[i] == T{0}) << i;
}

TEST(FractalNz, PermutesAndPads) {
  for (const int64_t rows : {1, 16, 17, 48})
    for (const int64_t columns : {1, 15, 16, 32, 33, 64, 100}) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
      expect_permutation<uint8_t>(DType::u8, rows, columns);
      expect_permutation<uint16_t>(DType::bf16, rows, columns);
    }
}

}  // namespace
}  // namespace mxdit::ascend

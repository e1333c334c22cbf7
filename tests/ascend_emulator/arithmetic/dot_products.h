// Sums of products in double: the one matrix product behind every operator of this folder.
//
// Operands of at most 24 significant bits give exact products, so only the additions round, far
// below fp32. Sums run over k in a fixed order: results depend on no number of threads.
#pragma once

#include <cstdint>
#include <functional>

namespace ascend_emulator::arithmetic {

// Fills out[k * width + i] with element k0 + k of vector first + i, for k < count and i < vectors;
// the columns i >= vectors of the panel are not read. Called from several threads.
struct PanelRequest {
  int64_t first;
  int64_t vectors;
  int64_t k0;
  int64_t count;
  int64_t width;
  double* out;
};
using PanelSource = std::function<void(const PanelRequest&)>;

// Fills out[0, count) with elements k0... of one vector.
using RowSource = std::function<void(int64_t row, int64_t k0, int64_t count, double* out)>;
PanelSource panels_of_rows(RowSource rows);

// sums[i * stride + j] = sum over k in [k0, k0 + count) of left[row0 + i][k] * right[col0 + j][k].
struct DotTile {
  int64_t row0, rows;
  int64_t col0, cols;
  int64_t k0, count;
  const double* sums;
  int64_t stride;
};
using DotSink = std::function<void(const DotTile&)>;

struct DotShape {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t depth = 0;
  int64_t group = 0;  // sums are handed over after each `group` of k, in order; 0: once
};

// Tiles are independent and may be handed over from several threads, those of one place in order.
void dot_products(const DotShape& shape, const PanelSource& left, const PanelSource& right,
                  const DotSink& sink, bool parallel = true);

}  // namespace ascend_emulator::arithmetic

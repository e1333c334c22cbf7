#include "backend/cpu/tile_product.h"

#include <algorithm>

#include "backend/cpu/rounding.h"

namespace mxdit::cpu {
namespace {

// One block of the left operand (rows x k) stays in L2, one panel of the right one in L1.
constexpr int64_t kBlockK = 256;
constexpr int64_t kBlockRows = 144;
constexpr int64_t kTileRows = 480, kTileColumns = 512;
constexpr int64_t kTilesPerThread = 3;
constexpr int64_t kFewRows = 8, kFewRowsColumns = 128;

// Extents of an output tile: the largest that still leave work for every thread. With few rows the
// product is a pass over the right operand, and narrow tiles keep its packed panels in cache.
struct TilePlan {
  int64_t rows, columns;

  TilePlan(const MatrixKernels& kernels, int64_t m, int64_t n, int threads) {
    const int64_t widest = m <= kFewRows ? kFewRowsColumns : kTileColumns;
    rows = std::min(m, kTileRows);
    columns = round_up(std::min(n, widest), kernels.nr);
    while (threads > 1 && blocks(m, rows) * blocks(n, columns) < kTilesPerThread * threads) {
      if (columns > 8 * kernels.nr || (columns > kernels.nr && rows <= 8 * kernels.mr))
        columns = round_up(columns / 2, kernels.nr);
      else if (rows > 8 * kernels.mr)
        rows = round_up(rows / 2, kernels.mr);
      else
        break;
    }
  }
};

// Scratch space of one tile.
struct TileScratch {
  std::shared_ptr<Storage> storage;
  float *left, *right, *product, *column_scale;
  const void** pointers;

  TileScratch(MemoryPool& memory, const MatrixKernels& kernels, const TilePlan& plan,
              int64_t depth) {
    const int64_t left_floats =
        round_up(round_up(std::min(plan.rows, kBlockRows), kernels.mr) * depth, 16);
    const int64_t right_floats = plan.columns * depth;
    const int64_t product_floats = plan.rows * plan.columns;
    const int64_t pointer_count = std::max(plan.rows, plan.columns);
    storage = memory.allocate(
        static_cast<size_t>(left_floats + right_floats + product_floats + plan.columns) *
            sizeof(float) +
        static_cast<size_t>(pointer_count) * sizeof(void*));
    right = static_cast<float*>(storage->data());
    product = right + right_floats;
    column_scale = product + product_floats;
    left = column_scale + plan.columns;
    pointers = reinterpret_cast<const void**>(left + left_floats);
  }
};

struct Tile {
  int64_t row, rows, column, columns;
};

}  // namespace

int64_t element_bytes(Element type) noexcept {
  if (type == Element::f32) return 4;
  return type == Element::f8_e4m3 || type == Element::f8_e5m2 ? 1 : 2;
}

MatrixRows::MatrixRows(const void* data, Element type, int64_t columns)
    : data_(static_cast<const char*>(data)),
      type_(type),
      row_bytes_(columns * element_bytes(type)) {}

void MatrixRows::pack(const MatrixKernels& kernels, int64_t first, int64_t count, int64_t k,
                      int64_t k_count, int64_t width, const void** rows, float* out) const {
  for (int64_t r = 0; r < count; ++r) rows[r] = data_ + (first + r) * row_bytes_;
  kernels.pack({.rows = rows,
                .count = count,
                .offset = k,
                .k = k_count,
                .type = type_,
                .scale = 1.0f,
                .width = width,
                .panel_stride = width * k_count,
                .out = out});
}

namespace {

void multiply_tile(const MatrixKernels& kernels, const PanelSource& left, const PanelSource& right,
                   const Tile& tile, int64_t k, const TileScratch& scratch) {
  const int64_t panels = blocks(tile.columns, kernels.nr);
  for (int64_t k_begin = 0; k_begin < k; k_begin += kBlockK) {
    const int64_t depth = std::min(kBlockK, k - k_begin);
    right.pack(kernels, tile.column, tile.columns, k_begin, depth, kernels.nr, scratch.pointers,
               scratch.right);
    const int64_t block_rows = kBlockRows / kernels.mr * kernels.mr;
    for (int64_t row = 0; row < tile.rows; row += block_rows) {
      const int64_t rows = std::min(block_rows, tile.rows - row);
      left.pack(kernels, tile.row + row, rows, k_begin, depth, kernels.mr, scratch.pointers,
                scratch.left);
      kernels.multiply({.left = scratch.left,
                        .rows = rows,
                        .left_stride = kernels.mr * depth,
                        .right = scratch.right,
                        .panels = panels,
                        .right_stride = kernels.nr * depth,
                        .k = depth,
                        .product = scratch.product + row * kernels.nr,
                        .product_stride = tile.rows * kernels.nr,
                        .accumulate = k_begin > 0});
    }
  }
}

// The tile of a product whose operands were swapped: rows are output columns.
void store_swapped_tile(const MatrixKernels& kernels, const Tile& tile, int64_t n,
                        const TileScratch& scratch, const ProductOutput& output) {
  for (int64_t column = 0; column < tile.columns; column += kernels.nr) {
    const int64_t first = (tile.column + column) * n + tile.row;
    kernels.store_transposed(
        {.product = scratch.product + column * tile.rows,
         .rows = tile.rows,
         .columns = std::min<int64_t>(kernels.nr, tile.columns - column),
         .divisor = nullptr,
         .bias = output.bias == nullptr ? nullptr : output.bias + tile.row,
         .out = static_cast<char*>(output.out) + first * element_bytes(output.type),
         .out_type = output.type,
         .out_stride = n});
  }
}

void store_tile(const MatrixKernels& kernels, const Tile& tile, int64_t n,
                const TileScratch& scratch, const ProductOutput& output,
                const OuterScales& scales = {}, bool has_bias = false) {
  const int64_t first = tile.row * n + tile.column;
  kernels.store({.product = scratch.product,
                 .product_stride = tile.rows * kernels.nr,
                 .rows = tile.rows,
                 .columns = tile.columns,
                 .bias = output.bias == nullptr || has_bias ? nullptr : output.bias + tile.column,
                 .function = output.function,
                 .out = static_cast<char*>(output.out) + first * element_bytes(output.type),
                 .out_type = output.type,
                 .out_stride = n,
                 .row_scale = scales.left == nullptr ? nullptr : scales.left + tile.row,
                 .column_scale = scales.right == nullptr ? nullptr : scales.right + tile.column});
}

}  // namespace

void multiply_tiles(const MatrixKernels& kernels, ThreadPool& threads, MemoryPool& memory,
                    const PanelSource& left, const PanelSource& right, int64_t m, int64_t n,
                    int64_t k, const ProductOutput& output) {
  if (m <= 0 || n <= 0) return;
  // A right operand of few rows would fill its panels with zeros; on the left it does not.
  const bool swapped = 2 * n <= kernels.nr && m > n && output.function == Function::none;
  const PanelSource& rows = swapped ? right : left;
  const PanelSource& columns = swapped ? left : right;
  const int64_t row_count = swapped ? n : m, column_count = swapped ? m : n;
  const TilePlan plan(kernels, row_count, column_count, threads.size());
  const int64_t column_tiles = blocks(column_count, plan.columns);
  const int64_t tiles = blocks(row_count, plan.rows) * column_tiles;
  threads.parallel_for(tiles, 1, [&](int64_t begin, int64_t end) {
    const TileScratch scratch(memory, kernels, plan, std::min(k, kBlockK));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / column_tiles * plan.rows, column = i % column_tiles * plan.columns;
      const Tile tile{row, std::min(plan.rows, row_count - row), column,
                      std::min(plan.columns, column_count - column)};
      multiply_tile(kernels, rows, columns, tile, k, scratch);
      if (swapped)
        store_swapped_tile(kernels, tile, n, scratch, output);
      else
        store_tile(kernels, tile, n, scratch, output);
    }
  });
}

namespace {

// Sums start at the bias, or at zero. Columns behind the last one start at zero too.
void start_tile(const MatrixKernels& kernels, const Tile& tile, const float* bias, float* product) {
  for (int64_t column = 0; column < tile.columns; column += kernels.nr) {
    const int64_t count = std::min<int64_t>(kernels.nr, tile.columns - column);
    for (int64_t row = 0; row < tile.rows; ++row, product += kernels.nr) {
      std::fill(product, product + kernels.nr, 0.0f);
      if (bias != nullptr) std::copy_n(bias + tile.column + column, count, product);
    }
  }
}

// The scales of one group for the columns of a tile, side by side; null for ones.
const float* gather_column_scale(const MatrixKernels& kernels, const OuterScales& scales,
                                 const Tile& tile, int64_t group, float* out) {
  if (scales.right == nullptr) return nullptr;
  const int64_t padded = round_up(tile.columns, kernels.nr);
  for (int64_t i = 0; i < padded; ++i)
    out[i] = i < tile.columns ? scales.right[(tile.column + i) * scales.count + group] : 0.0f;
  return out;
}

void multiply_group_tile(const MatrixKernels& kernels, const PanelSource& left,
                         const PanelSource& right, const Tile& tile, int64_t k,
                         const OuterScales& scales, const TileScratch& scratch) {
  const int64_t block_rows = kBlockRows / kernels.mr * kernels.mr;
  for (int64_t begin = 0, group = 0; begin < k; begin += kGroupColumns, ++group) {
    const int64_t depth = std::min(kGroupColumns, k - begin);
    right.pack(kernels, tile.column, tile.columns, begin, depth, kernels.nr, scratch.pointers,
               scratch.right);
    const float* column_scale =
        gather_column_scale(kernels, scales, tile, group, scratch.column_scale);
    for (int64_t row = 0; row < tile.rows; row += block_rows) {
      const int64_t rows = std::min(block_rows, tile.rows - row);
      left.pack(kernels, tile.row + row, rows, begin, depth, kernels.mr, scratch.pointers,
                scratch.left);
      const float* row_scale =
          scales.left == nullptr ? nullptr : scales.left + (tile.row + row) * scales.count + group;
      kernels.multiply({.left = scratch.left,
                        .rows = rows,
                        .left_stride = kernels.mr * depth,
                        .right = scratch.right,
                        .panels = blocks(tile.columns, kernels.nr),
                        .right_stride = kernels.nr * depth,
                        .k = depth,
                        .product = scratch.product + row * kernels.nr,
                        .product_stride = tile.rows * kernels.nr,
                        .accumulate = true,
                        .row_scale = row_scale,
                        .row_scale_stride = scales.count,
                        .column_scale = column_scale});
    }
  }
}

}  // namespace

void multiply_groups(const MatrixKernels& kernels, ThreadPool& threads, MemoryPool& memory,
                     const PanelSource& left, const PanelSource& right, int64_t m, int64_t n,
                     int64_t k, bool scale_each_group, const OuterScales& scales,
                     const ProductOutput& output) {
  if (m <= 0 || n <= 0) return;
  const OuterScales ones, inner = scale_each_group ? scales : ones;
  const OuterScales outer = scale_each_group ? ones : scales;
  const TilePlan plan(kernels, m, n, threads.size());
  const int64_t column_tiles = blocks(n, plan.columns);
  threads.parallel_for(blocks(m, plan.rows) * column_tiles, 1, [&](int64_t begin, int64_t end) {
    const TileScratch scratch(memory, kernels, plan, std::min(k, kGroupColumns));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / column_tiles * plan.rows, column = i % column_tiles * plan.columns;
      const Tile tile{row, std::min(plan.rows, m - row), column,
                      std::min(plan.columns, n - column)};
      start_tile(kernels, tile, scale_each_group ? output.bias : nullptr, scratch.product);
      multiply_group_tile(kernels, left, right, tile, k, inner, scratch);
      store_tile(kernels, tile, n, scratch, output, outer, scale_each_group);
    }
  });
}

}  // namespace mxdit::cpu

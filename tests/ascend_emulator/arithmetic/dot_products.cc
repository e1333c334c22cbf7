#include "ascend_emulator/arithmetic/dot_products.h"

#include <algorithm>
#include <vector>

#include "ascend_emulator/arithmetic/view.h"

// Resolvers of cloned functions run before the sanitizers are ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MXDIT_EMULATOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MXDIT_EMULATOR_CLONES
#endif

namespace ascend_emulator::arithmetic {
namespace {

constexpr int64_t kTileRows = 128;
constexpr int64_t kTileCols = 256;
constexpr int64_t kDepth = 256;
constexpr int64_t kLeftWidth = 4;
constexpr int64_t kRightWidth = 16;

// sums[4][16] += left[count][4] x right[count][16]
MXDIT_EMULATOR_CLONES
void add_products(const double* __restrict left, const double* __restrict right, int64_t count,
                  double* __restrict sums, int64_t stride) {
  typedef double Lanes __attribute__((vector_size(64), aligned(8)));
  Lanes total[kLeftWidth][2];
  for (int64_t i = 0; i < kLeftWidth; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      total[i][j] = *reinterpret_cast<const Lanes*>(sums + i * stride + 8 * j);
    }
  }
  for (int64_t k = 0; k < count; ++k) {
    const Lanes right0 = *reinterpret_cast<const Lanes*>(right + k * kRightWidth);
    const Lanes right1 = *reinterpret_cast<const Lanes*>(right + k * kRightWidth + 8);
    for (int64_t i = 0; i < kLeftWidth; ++i) {
      const double factor = left[k * kLeftWidth + i];
      total[i][0] += right0 * factor;
      total[i][1] += right1 * factor;
    }
  }
  for (int64_t i = 0; i < kLeftWidth; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      *reinterpret_cast<Lanes*>(sums + i * stride + 8 * j) = total[i][j];
    }
  }
}

struct Scratch {
  std::vector<double> left = std::vector<double>(kTileRows * kDepth);
  std::vector<double> right = std::vector<double>(kTileCols * kDepth);
  std::vector<double> sums = std::vector<double>(kTileRows * kTileCols);
};

void fill(const PanelSource& source, int64_t first, int64_t vectors, int64_t k0, int64_t count,
          int64_t width, double* out) {
  for (int64_t at = 0; at < vectors; at += width) {
    source({first + at, std::min(width, vectors - at), k0, count, width, out + at * count});
  }
}

void add_block(const PanelSource& left, const PanelSource& right, DotTile tile, int64_t k0,
               int64_t count, Scratch* scratch) {
  fill(left, tile.row0, tile.rows, k0, count, kLeftWidth, scratch->left.data());
  fill(right, tile.col0, tile.cols, k0, count, kRightWidth, scratch->right.data());
  for (int64_t j = 0; j < tile.cols; j += kRightWidth) {
    for (int64_t i = 0; i < tile.rows; i += kLeftWidth) {
      add_products(scratch->left.data() + i * count, scratch->right.data() + j * count, count,
                   scratch->sums.data() + i * kTileCols + j, kTileCols);
    }
  }
}

void compute_tile(const DotShape& shape, const PanelSource& left, const PanelSource& right,
                  const DotSink& sink, DotTile tile, Scratch* scratch) {
  const int64_t group = shape.group > 0 ? shape.group : std::max<int64_t>(shape.depth, 1);
  int64_t begin = 0;
  do {
    const int64_t end = std::min(begin + group, shape.depth);
    const int64_t rows = (tile.rows + kLeftWidth - 1) / kLeftWidth * kLeftWidth;
    std::fill_n(scratch->sums.begin(), rows * kTileCols, 0.0);
    for (int64_t k0 = begin; k0 < end; k0 += kDepth) {
      add_block(left, right, tile, k0, std::min(kDepth, end - k0), scratch);
    }
    tile.k0 = begin;
    tile.count = end - begin;
    tile.sums = scratch->sums.data();
    tile.stride = kTileCols;
    sink(tile);
    begin = end;
  } while (begin < shape.depth);
}

}  // namespace

PanelSource panels_of_rows(RowSource rows) {
  return [rows = std::move(rows)](const PanelRequest& request) {
    double line[kDepth];
    for (int64_t i = 0; i < request.vectors; ++i) {
      rows(request.first + i, request.k0, request.count, line);
      for (int64_t k = 0; k < request.count; ++k) request.out[k * request.width + i] = line[k];
    }
    // Columns without a vector are multiplied too: what they hold must not slow the multiplier.
    for (int64_t i = request.vectors; i < request.width; ++i) {
      for (int64_t k = 0; k < request.count; ++k) request.out[k * request.width + i] = 0;
    }
  };
}

void dot_products(const DotShape& shape, const PanelSource& left, const PanelSource& right,
                  const DotSink& sink, bool parallel) {
  if (shape.rows <= 0 || shape.cols <= 0) return;
  const int64_t tiles_down = (shape.rows + kTileRows - 1) / kTileRows;
  const int64_t tiles_across = (shape.cols + kTileCols - 1) / kTileCols;
  const int64_t work = parallel ? shape.rows * shape.cols * shape.depth / 8 : 0;
  in_parallel(tiles_down * tiles_across, work, [&](int64_t begin, int64_t end) {
    // Kept by the thread: pages of fresh memory would cost small products more than the products.
    static thread_local Scratch scratch;
    for (int64_t index = begin; index < end; ++index) {
      DotTile tile{};
      tile.row0 = index / tiles_across * kTileRows;
      tile.col0 = index % tiles_across * kTileCols;
      tile.rows = std::min(kTileRows, shape.rows - tile.row0);
      tile.cols = std::min(kTileCols, shape.cols - tile.col0);
      compute_tile(shape, left, right, sink, tile, &scratch);
    }
  });
}

}  // namespace ascend_emulator::arithmetic

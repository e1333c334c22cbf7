#include "backend/cpu/dot_tiles.h"

#include "backend/cpu/rounding.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kMostColumns = 512;  // of a task
// Of a chunk of the right operand: L2 also holds left panels, and in the first case sums.
constexpr int64_t kRightBytes = int64_t{768} << 10;   // in pieces
constexpr int64_t kPanelBytes = int64_t{1280} << 10;  // in panels
constexpr int64_t kMostSteps = 80;                    // of a chunk in panels
constexpr int64_t kBlockColumns = 96;  // multiples leave no narrow blocks to the kernels
constexpr int64_t kLeftBytes = int64_t{64} << 20;
constexpr int64_t kMostSplits = 16;
// Measured costs of a task beside its products: packing the right operand takes as long as 150 rows
// do, reading the left one as long as 90 columns.
constexpr int64_t kPackingRows = 150, kReadingColumns = 90;

}  // namespace

DotPlan::DotPlan(int64_t m, int64_t columns, int64_t step_elements)
    : k(columns), steps(blocks(columns, step_elements)) {
  const int64_t most_rows = std::max(kDotRows, kLeftBytes / panel_bytes() * kDotRows);
  block_rows = round_up(blocks(m, blocks(m, most_rows)), kDotRows);
}

DotPlan::DotPlan(int64_t m, int64_t n, int64_t columns, int threads, int64_t column_unit)
    : DotPlan(m, columns, kDotStep) {
  choose_tasks(n, threads, column_unit, kMostColumns);
  const int64_t most_steps = kRightBytes / (tile_columns * kDotStep) / kPieceSteps * kPieceSteps;
  chunk_steps = round_up(blocks(steps, blocks(steps, std::max(kPieceSteps, most_steps))), kPieceSteps);
  chunk_steps = std::min(chunk_steps, steps);
}

// The chunk comes first: the longer it is, the more seldom sums leave their registers.
DotPlan DotPlan::panels(int64_t m, int64_t n, int64_t columns, int threads) {
  DotPlan plan(m, columns, kDotStep / 2);
  plan.chunk_steps = blocks(plan.steps, blocks(plan.steps, kMostSteps));
  const int64_t blocks_in_l2 = kPanelBytes / (plan.chunk_steps * kDotStep) / kBlockColumns;
  plan.choose_tasks(n, threads, n < kBlockColumns ? kDotRows : kBlockColumns,
                    std::clamp(blocks_in_l2 * kBlockColumns, kBlockColumns, kMostColumns));
  return plan;
}

void DotPlan::choose_tasks(int64_t n, int threads, int64_t column_unit, int64_t most_columns) {
  int64_t least = INT64_MAX;
  const int64_t least_tiles = blocks(n, most_columns);
  for (int64_t tiles = least_tiles; tiles <= kMostSplits * least_tiles; ++tiles) {
    const int64_t width = round_up(blocks(n, tiles), column_unit);
    for (int64_t splits = 1; splits <= kMostSplits; ++splits) {
      const int64_t height = round_up(blocks(block_rows, splits), kDotRows);
      const int64_t tasks = blocks(n, width) * blocks(block_rows, height);
      const int64_t cost =
          blocks(tasks, threads) * (height + kPackingRows) * (width + kReadingColumns);
      if (cost >= least) continue;
      least = cost;
      task_rows = height;
      tile_columns = width;
    }
  }
}

void store_block(const DotMachine& machine, const float* product, const DotRange& rows,
                 const DotRange& columns, int64_t n, const OuterScales& scales,
                 const ProductOutput& output) {
  const int64_t row = rows.origin + rows.first, column = columns.origin + columns.first;
  machine.kernels.matrix.store(
      {.product = product,
       .product_stride = kDotBlock,
       .rows = rows.count,
       .columns = columns.count,
       .bias = output.bias == nullptr ? nullptr : output.bias + column,
       .function = output.function,
       .out = static_cast<char*>(output.out) + (row * n + column) * element_bytes(output.type),
       .out_type = output.type,
       .out_stride = n,
       .row_scale = scales.left == nullptr ? nullptr : scales.left + row,
       .column_scale = scales.right == nullptr ? nullptr : scales.right + column});
}

bool finishes(const DotMachine& machine, int64_t n, const OuterScales& scales,
              const ProductOutput& output) {
  const bool known = output.function == Function::none || output.function == Function::gelu_tanh;
  return machine.kernels.dots.finish != nullptr && known && output.type == Element::bf16 &&
         scales.left == nullptr && scales.right == nullptr && n % kDotRows == 0;
}

std::optional<FinishedOutput> finished_output(const DotMachine& machine, const DotRange& rows,
                                              const DotRange& columns, int64_t n,
                                              const OuterScales& scales,
                                              const ProductOutput& output) {
  if (!finishes(machine, n, scales, output)) return std::nullopt;
  const int64_t row = rows.origin + rows.first, column = columns.origin + columns.first;
  FinishedOutput finished = {.bias = output.bias == nullptr ? nullptr : output.bias + column,
                             .function = output.function,
                             .out = static_cast<uint16_t*>(output.out) + row * n,
                             .stride = n,
                             .panel_stride = kDotRows,
                             .row_panel_stride = n * kDotRows,
                             .rows = rows.count};
  // Rows begin at multiples of 32: a panel of them is as long as they are.
  if (output.is_packed) finished.stride = kDotRows, finished.panel_stride = kDotBlock;
  finished.out += column / kDotRows * finished.panel_stride;
  return finished;
}

}  // namespace mxdit::cpu

#include "backend/cpu/dot_tiles.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kTileColumns = 256;
constexpr int64_t kRightBytes = int64_t{640} << 10;  // a third of L2
constexpr int64_t kLeftBytes = int64_t{64} << 20;
constexpr int64_t kLeastRows = 256;  // of a task: packing the right operand costs about 150 rows
constexpr int64_t kTasksPerThread = 3;

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
int64_t blocks(int64_t count, int64_t block) {
  return (count + block - 1) / block;
}

}  // namespace

DotPlan::DotPlan(int64_t m, int64_t n, int64_t columns, int64_t step_elements, int threads)
    : k(columns), steps(blocks(columns, step_elements)) {
  const int64_t most_rows = std::max(kDotRows, kLeftBytes / panel_bytes() * kDotRows);
  block_rows = round_up(blocks(m, blocks(m, most_rows)), kDotRows);
  task_rows = block_rows;
  tile_columns = std::min(kTileColumns, round_up(n, kDotRows));
  while (threads > 1 &&
         blocks(block_rows, task_rows) * blocks(n, tile_columns) < kTasksPerThread * threads) {
    if (tile_columns > 2 * kDotRows)
      tile_columns = round_up(tile_columns / 2, kDotRows);
    else if (task_rows > kLeastRows)
      task_rows = round_up(task_rows / 2, kDotRows);
    else
      break;
  }
  const int64_t most_steps = kRightBytes / (tile_columns * kDotStep) / kPieceSteps * kPieceSteps;
  chunk_steps = round_up(blocks(steps, blocks(steps, std::max(kPieceSteps, most_steps))), kPieceSteps);
  chunk_steps = std::min(chunk_steps, steps);
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

}  // namespace mxdit::cpu

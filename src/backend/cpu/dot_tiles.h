// How a product on dots is cut: shared by the bf16 and the folded driver.
#pragma once

#include <algorithm>
#include <optional>

#include "backend/cpu/dot_product.h"

namespace mxdit::cpu {

// Rows or columns `origin + first` ... of the whole product; `first` counts from the start of a
// block of rows, or of a tile of columns.
struct DotRange {
  int64_t origin, first, count;

  int64_t panels() const { return (count + kDotRows - 1) / kDotRows; }
  DotRange part(int64_t offset) const {
    return {origin, first + offset, std::min(kDotRows, count - offset)};
  }
};

struct DotPlan {
  int64_t k, steps;
  int64_t block_rows;    // of the left operand packed at a time
  int64_t task_rows;     // of one task
  int64_t tile_columns;  // of one task
  int64_t chunk_steps;   // of k, packed of the right operand at a time

  // For int8 in pieces. Tiles begin at multiples of column_unit.
  DotPlan(int64_t m, int64_t n, int64_t columns, int threads, int64_t column_unit = kDotRows);
  // For bf16 in panels.
  static DotPlan panels(int64_t m, int64_t n, int64_t columns, int threads);

  int64_t panel_bytes() const { return steps * kDotStepBytes; }
  int64_t left_bytes() const { return (block_rows + kDotRows - 1) / kDotRows * panel_bytes(); }
  int64_t right_bytes() const {
    const int64_t pieces = (chunk_steps + kPieceSteps - 1) / kPieceSteps;
    return pieces * (tile_columns / kDotRows) * kPieceBytes;
  }
  bool has_chunks() const { return chunk_steps < steps; }
  int64_t product_bytes() const {
    const int64_t panels = has_chunks() ? (task_rows + kDotRows - 1) / kDotRows : 1;
    return panels * tile_columns * kDotRows * static_cast<int64_t>(sizeof(float));
  }
  // The sums of a panel of rows: kept from chunk to chunk, or one buffer for all.
  float* product_of(float* products, int64_t row) const {
    return has_chunks() ? products + row * tile_columns : products;
  }
  const uint8_t* left_at(const uint8_t* left, int64_t row, int64_t step) const {
    return left + row / kDotRows * panel_bytes() + step * kDotStepBytes;
  }

 private:
  DotPlan(int64_t m, int64_t columns, int64_t step_elements);
  // Rows and columns of a task by an estimate of the time that the busiest thread takes.
  void choose_tasks(int64_t n, int threads, int64_t column_unit, int64_t most_columns);
};

// Writes the [rows, columns] product of one panel of rows.
void store_block(const DotMachine& machine, const float* product, const DotRange& rows,
                 const DotRange& columns, int64_t n, const OuterScales& scales,
                 const ProductOutput& output);

// Whether the kernels can put a product there themselves: of all its rows and tiles, or none.
bool finishes(const DotMachine& machine, int64_t n, const OuterScales& scales,
              const ProductOutput& output);
// Where they put a part of it; none where they cannot.
std::optional<FinishedOutput> finished_output(const DotMachine& machine, const DotRange& rows,
                                              const DotRange& columns, int64_t n,
                                              const OuterScales& scales,
                                              const ProductOutput& output);

// Calls run(scratch, rows, columns) for every tile of a block of rows; make() gives each thread its
// scratch.
template <typename Make, typename Run>
void for_each_tile(ThreadPool& threads, const DotPlan& plan, const DotRange& block, int64_t n,
                   const Make& make, const Run& run) {
  const int64_t columns = (n + plan.tile_columns - 1) / plan.tile_columns;
  const int64_t rows = (block.count + plan.task_rows - 1) / plan.task_rows;
  threads.parallel_for(rows * columns, 1, [&](int64_t begin, int64_t end) {
    auto scratch = make();
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / columns * plan.task_rows, column = i % columns * plan.tile_columns;
      run(scratch, DotRange{block.origin, row, std::min(plan.task_rows, block.count - row)},
          DotRange{column, 0, std::min(plan.tile_columns, n - column)});
    }
  });
}

}  // namespace mxdit::cpu

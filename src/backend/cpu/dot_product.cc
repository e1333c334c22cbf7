#include "backend/cpu/dot_product.h"

#include <algorithm>

#include "backend/cpu/dot_tiles.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kStepElements = kDotStep / 2;  // bf16

class DotTile {
 public:
  DotTile(const DotMachine& machine, const DotPlan& plan)
      : machine_(machine),
        plan_(plan),
        storage_(machine.memory.allocate(
            static_cast<size_t>(plan.right_bytes() + plan.product_bytes()))),
        right_(static_cast<uint8_t*>(storage_->data())),
        product_(reinterpret_cast<float*>(right_ + plan.right_bytes())) {}

  void run(const uint8_t* left, const DotSource& right, const DotRange& rows,
           const DotRange& columns, const OuterScales& scales, const ProductOutput& output,
           int64_t n) {
    for (int64_t step = 0; step < plan_.steps; step += plan_.chunk_steps) {
      const int64_t steps = std::min(plan_.chunk_steps, plan_.steps - step);
      pack_right(right, columns, step, steps);
      for (int64_t row = 0; row < rows.count; row += kDotRows) {
        float* product = plan_.product_of(product_, row);
        const bool is_last = step + steps == plan_.steps;
        const std::optional<FinishedOutput> finished =
            is_last ? finished_output(machine_, rows.part(row), columns, n, scales, output)
                    : std::nullopt;
        machine_.kernels.dots.multiply_panels(
            {.left = plan_.left_at(left, rows.first + row, step),
             .next_left = plan_.left_at(left, rows.first + row + kDotRows, step),
             .right = right_,
             .right_stride = steps * kDotStepBytes,
             .panels = columns.panels(),
             .steps = steps,
             .product = product,
             .product_stride = kDotBlock,
             .accumulate = step > 0,
             .output = finished ? &*finished : nullptr});
        if (is_last && !finished)
          store_block(machine_, product, rows.part(row), columns, n, scales, output);
      }
    }
  }

 private:
  void pack_right(const DotSource& right, const DotRange& columns, int64_t step, int64_t steps) {
    const int64_t k = step * kStepElements;
    const int64_t count = std::min(steps * kStepElements, plan_.k - k);
    for (int64_t panel = 0; panel < columns.panels(); ++panel) {
      const DotRange part = columns.part(panel * kDotRows);
      right.pack(machine_.kernels.dots, columns.origin + part.first, part.count, k, count,
                 Side::right, right_ + panel * steps * kDotStepBytes);
    }
  }

  const DotMachine& machine_;
  const DotPlan& plan_;
  std::shared_ptr<Storage> storage_;
  uint8_t* right_;
  float* product_;
};

}  // namespace

DotRows::DotRows(const void* data, Element type, int64_t columns)
    : data_(static_cast<const char*>(data)),
      type_(type),
      row_bytes_(columns * element_bytes(type)) {}

void DotRows::pack(const DotKernels& kernels, int64_t first, int64_t count, int64_t k,
                   int64_t k_count, Side side, uint8_t* out) const {
  const void* rows[kDotRows];
  for (int64_t r = 0; r < count; ++r) rows[r] = data_ + (first + r) * row_bytes_;
  kernels.pack({.rows = rows,
                .count = count,
                .offset = k,
                .k = k_count,
                .type = type_,
                .side = side,
                .out = out});
}

void DotCodes::pack(const DotKernels& kernels, int64_t first, int64_t count, int64_t k,
                    int64_t k_count, Side side, uint8_t* out) const {
  kernels.widen({.matrix = &rows_,
                 .first = first,
                 .count = count,
                 .offset = k,
                 .k = k_count,
                 .side = side,
                 .out = out});
}

void multiply_dots(const DotMachine& machine, const DotSource& left, const DotSource& right,
                   int64_t m, int64_t n, int64_t k, const OuterScales& scales,
                   const ProductOutput& output) {
  if (m <= 0 || n <= 0) return;
  const DotPlan plan = DotPlan::panels(m, n, k, machine.threads.size());
  const auto left_storage = machine.memory.allocate(static_cast<size_t>(plan.left_bytes()));
  uint8_t* packed = static_cast<uint8_t*>(left_storage->data());
  for (int64_t row = 0; row < m; row += plan.block_rows) {
    const DotRange block = {row, 0, std::min(plan.block_rows, m - row)};
    machine.threads.parallel_for(block.panels(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t panel = begin; panel < end; ++panel) {
        const DotRange part = block.part(panel * kDotRows);
        left.pack(machine.kernels.dots, row + part.first, part.count, 0, k, Side::left,
                  packed + panel * plan.panel_bytes());
      }
    });
    for_each_tile(machine.threads, plan, block, n, [&] { return DotTile(machine, plan); },
                  [&](DotTile& tile, const DotRange& rows, const DotRange& columns) {
                    tile.run(packed, right, rows, columns, scales, output, n);
                  });
  }
}

}  // namespace mxdit::cpu

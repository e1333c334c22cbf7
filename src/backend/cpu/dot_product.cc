#include "backend/cpu/dot_product.h"

#include <algorithm>

#include "backend/cpu/dot_tiles.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kStepElements = kDotStep / 2;  // bf16

// A left operand [rows, k], for as many products as want it.
class PackedDots : public PackedOperand {
 public:
  PackedDots(const DotMachine& machine, int64_t rows, int64_t k)
      : kernels_(machine.kernels),
        rows_(rows),
        k_(k),
        storage_(machine.memory.allocate(static_cast<size_t>(panels() * panel_bytes()))) {}

  bool serves(const DotMachine& machine, int64_t rows, int64_t k) const {
    return &machine.kernels == &kernels_ && rows == rows_ && k == k_;
  }
  uint8_t* panel(int64_t row) const {
    return static_cast<uint8_t*>(storage_->data()) + row / kDotRows * panel_bytes();
  }
  // Rows `first` ... of `source` become those from 0 on.
  void pack(const DotMachine& machine, const DotSource& source, int64_t first, int64_t count) {
    const DotRange range = {first, 0, count};
    machine.threads.parallel_for(range.panels(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const DotRange part = range.part(i * kDotRows);
        source.pack(machine.kernels.dots, first + part.first, part.count, 0, k_, Side::left,
                    panel(part.first));
      }
    });
  }
  // What a product that writes the rows leaves out.
  void clear_rest() {
    const int64_t rest = rows_ % kDotRows;
    if (rest == 0) return;
    for (int64_t step = 0; step < panel_bytes() / kDotStepBytes; ++step)
      std::fill_n(panel(rows_) + step * kDotStepBytes + rest * kDotStep,
                  (kDotRows - rest) * kDotStep, uint8_t{0});
  }

 private:
  int64_t panels() const { return (rows_ + kDotRows - 1) / kDotRows; }
  int64_t panel_bytes() const {
    return (k_ + kStepElements - 1) / kStepElements * kDotStepBytes;
  }

  const KernelTable& kernels_;
  const int64_t rows_, k_;
  std::shared_ptr<Storage> storage_;
};

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
      const bool is_last = step + steps == plan_.steps;
      const bool is_finished = is_last && finishes(machine_, n, scales, output);
      // Without chunks, sums that are stored from here lie in one buffer for all rows.
      const int64_t height = is_finished || plan_.has_chunks() ? rows.count : kDotRows;
      for (int64_t row = 0; row < rows.count; row += height) {
        const DotRange part = {rows.origin, rows.first + row, std::min(height, rows.count - row)};
        const auto finished =
            is_last ? finished_output(machine_, part, columns, n, scales, output) : std::nullopt;
        multiply(left, part, columns, step, steps, finished ? &*finished : nullptr);
        if (is_last && !finished) store(part, columns, n, scales, output);
      }
    }
  }

 private:
  void multiply(const uint8_t* left, const DotRange& rows, const DotRange& columns, int64_t step,
                int64_t steps, const FinishedOutput* finished) const {
    machine_.kernels.dots.multiply_panels(
        {.left = plan_.left_at(left, rows.first, step),
         .left_stride = plan_.panel_bytes(),
         .left_panels = rows.panels(),
         .right = right_,
         .right_stride = steps * kDotStepBytes,
         .panels = columns.panels(),
         .steps = steps,
         .product = product_,
         .product_stride = kDotBlock,
         .product_left_stride = plan_.tile_columns * kDotRows,
         .accumulate = step > 0,
         .output = finished});
  }

  void store(const DotRange& rows, const DotRange& columns, int64_t n, const OuterScales& scales,
             const ProductOutput& output) const {
    for (int64_t row = 0; row < rows.count; row += kDotRows)
      store_block(machine_, plan_.product_of(product_, row), rows.part(row), columns, n, scales,
                  output);
  }

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

namespace {

// A product: its right operand and what becomes of it.
struct DotFactors {
  const DotMachine& machine;
  const DotSource& right;
  int64_t m, n, k;
  const OuterScales& scales;
  const ProductOutput& output;
  const DotPlan plan = DotPlan::panels(m, n, k, machine.threads.size());

  // Rows of the whole product; `left` is their first panel.
  void multiply(const uint8_t* left, const DotRange& block) const {
    for_each_tile(machine.threads, plan, block, n, [&] { return DotTile(machine, plan); },
                  [&](DotTile& tile, const DotRange& rows, const DotRange& columns) {
                    tile.run(left, right, rows, columns, scales, output, n);
                  });
  }
  void multiply(const DotSource& left) const {
    PackedDots packed(machine, std::min(plan.block_rows, m), k);
    for (int64_t row = 0; row < m; row += plan.block_rows) {
      const DotRange block = {row, 0, std::min(plan.block_rows, m - row)};
      packed.pack(machine, left, row, block.count);
      multiply(packed.panel(0), block);
    }
  }
  void multiply(const PackedDots& left) const {
    for (int64_t row = 0; row < m; row += plan.block_rows)
      multiply(left.panel(row), {row, 0, std::min(plan.block_rows, m - row)});
  }
  // Takes what there is, and leaves what fits.
  void multiply(const DotSource& left, std::shared_ptr<PackedOperand>& packed) const {
    auto dots = std::dynamic_pointer_cast<PackedDots>(packed);
    if (dots != nullptr && dots->serves(machine, m, k)) return multiply(*dots);
    if (plan.block_rows < m) return multiply(left);
    dots = std::make_shared<PackedDots>(machine, m, k);
    dots->pack(machine, left, 0, m);
    packed = dots;
    multiply(*dots);
  }
};

}  // namespace

void multiply_dots(const DotMachine& machine, const DotSource& left, const DotSource& right,
                   int64_t m, int64_t n, int64_t k, const OuterScales& scales,
                   const ProductOutput& output) {
  if (m > 0 && n > 0) DotFactors{machine, right, m, n, k, scales, output}.multiply(left);
}

void multiply_shared_dots(const DotMachine& machine, const DotSource& left, const DotSource& right,
                          int64_t m, int64_t n, int64_t k, const ProductOutput& output,
                          std::shared_ptr<PackedOperand>& packed) {
  if (m > 0 && n > 0) DotFactors{machine, right, m, n, k, {}, output}.multiply(left, packed);
}

bool multiply_dots_for_dots(const DotMachine& machine, const DotSource& left,
                            const DotSource& right, int64_t m, int64_t n, int64_t k,
                            const ProductOutput& output, std::shared_ptr<PackedOperand>& packed,
                            std::shared_ptr<PackedOperand>& out_packed) {
  ProductOutput to_dots = output;
  to_dots.type = Element::bf16;
  to_dots.is_packed = true;
  if (m <= 0 || n <= 0 || !finishes(machine, n, {}, to_dots)) return false;
  const auto out = std::make_shared<PackedDots>(machine, m, n);
  to_dots.out = out->panel(0);
  out->clear_rest();
  DotFactors{machine, right, m, n, k, {}, to_dots}.multiply(left, packed);
  out_packed = out;
  return true;
}

}  // namespace mxdit::cpu

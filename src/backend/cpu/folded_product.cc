// The folded product: int8 panels, one rescaling for each group of 512 columns.
#include <atomic>
#include <optional>

#include "backend/cpu/folded_operand.h"

namespace mxdit::cpu {
namespace {

// Where finished rows go instead of a matrix in bf16.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // x [rows, columns] of the result; called once for every block.
  virtual void take(const uint16_t* x, const DotRange& rows, const DotRange& columns) const = 0;
};

// Encodes them, each tile's columns being whole groups.
class EncodingSink : public RowSink {
 public:
  // `folded`: of the whole result.
  EncodingSink(const DotMachine& machine, const QuantizeArgs& encode, const FoldedRows& folded)
      : machine_(machine), encode_(encode), folded_(folded) {}

  void take(const uint16_t* x, const DotRange& rows, const DotRange& columns) const override {
    const int64_t row = rows.origin + rows.first, column = columns.origin + columns.first;
    const int64_t group = column / kFoldColumns;
    uint8_t is_folded[kDotRows] = {};
    const FoldedRows folded = {
        .panels = folded_.panels + row / kDotRows * folded_.panel_bytes + group * kPieceBytes,
        .panel_bytes = folded_.panel_bytes,
        .scale = folded_.scale + group * folded_.scale_stride + row,
        .scale_stride = folded_.scale_stride,
        .is_folded = is_folded};
    QuantizeArgs args = encode_;
    args.x = x;
    if (args.smooth != nullptr)
      args.smooth = static_cast<const char*>(args.smooth) + column * element_bytes(args.type);
    args.columns = columns.count;
    args.elements += row * args.element_stride + column / 2;
    args.block_scale += row * args.block_stride + column / args.block;
    args.block_count = columns.count / args.block;
    args.scale += row * args.scale_stride + group;
    args.folded = &folded;
    machine_.kernels.quantize(args, 0, rows.count);
    for (int64_t r = 0; r < rows.count; ++r)
      if (is_folded[r] == 0)
        std::atomic_ref(folded_.is_folded[row + r]).store(0, std::memory_order_relaxed);
  }

 private:
  const DotMachine& machine_;
  const QuantizeArgs& encode_;
  const FoldedRows folded_;
};

class FoldedTile {
 public:
  FoldedTile(const DotMachine& machine, const DotPlan& plan, const FoldableMatrix& right,
             bool group_scales)
      : machine_(machine),
        plan_(plan),
        regular_(right.regular),
        survey_(machine.memory, right.rows, group_scales, plan.tile_columns / kDotRows,
                (plan.chunk_steps + kPieceSteps - 1) / kPieceSteps),
        storage_(machine.memory.allocate(static_cast<size_t>(
            plan.right_bytes() + plan.product_bytes() + plan.tile_columns * (4 + 2 * kDotRows)))),
        right_(static_cast<uint8_t*>(storage_->data())),
        product_(reinterpret_cast<float*>(right_ + plan.right_bytes())),
        start_(product_ + plan.product_bytes() / 4),
        finished_(reinterpret_cast<uint16_t*>(start_ + plan.tile_columns)) {}

  // `bias`: what sums start from, or null. With a sink, `output` has only a function.
  void run(const FoldedLeft& left, const DotRange& rows, const DotRange& columns, int64_t n,
           const float* bias, const OuterScales& scales, const ProductOutput& output,
           const RowSink* sink) {
    for (int64_t i = 0; i < plan_.tile_columns; ++i)
      start_[i] = bias == nullptr || i >= columns.count ? 0.0f : bias[columns.origin + i];
    for (int64_t step = 0; step < plan_.steps; step += plan_.chunk_steps) {
      const int64_t steps = std::min(plan_.chunk_steps, plan_.steps - step);
      pack_right(columns, step, steps);
      const bool is_last = step + steps == plan_.steps;
      // Whether the kernels leave sums where they belong.
      const bool stays = !is_last || (sink == nullptr && output.bias == nullptr &&
                                      finishes(machine_, n, scales, output));
      for (int64_t row = 0, count; row < rows.count; row += count) {
        count = std::min(kDotRows, rows.count - row);
        if (stays) count = plain_rows(left, rows.first + row, rows.count - row, step, steps);
        float* product = plan_.product_of(product_, row);
        const DotRange part = {rows.origin, rows.first + row, count};
        std::optional<FinishedOutput> finished;
        if (is_last && sink != nullptr)
          finished = {.bias = nullptr,
                      .function = output.function,
                      .out = finished_,
                      .stride = columns.count,
                      .panel_stride = kDotRows,
                      .row_panel_stride = 0,
                      .rows = part.count};
        else if (is_last && output.bias == nullptr)
          finished = finished_output(machine_, part, columns, n, scales, output);
        multiply_chunk(left, part, columns.panels(), step, steps, product,
                       finished ? &*finished : nullptr);
        if (is_last && sink != nullptr)
          sink->take(finished_, part, columns);
        else if (is_last && !finished)
          store_block(machine_, product, part, columns, n, scales, output);
      }
    }
  }

 private:
  void pack_right(const DotRange& columns, int64_t step, int64_t steps) {
    const DotKernels& kernels = machine_.kernels.dots;
    const int64_t offset = step * kDotStep, k = std::min(steps * kDotStep, plan_.k - offset);
    const int64_t panels = columns.panels(), groups = (plan_.k + kFoldColumns - 1) / kFoldColumns;
    std::vector<int64_t> extra(static_cast<size_t>(panels));
    int64_t total = 0;
    for (int64_t panel = 0; panel < panels; ++panel) {
      const DotRange part = columns.part(panel * kDotRows);
      extra[static_cast<size_t>(panel)] = total;
      const int64_t row = columns.origin + part.first;
      total += survey_.look(kernels, row, part.count, offset, k, panel, panels,
                            regular_.data() + row / kDotRows * groups);
    }
    is_plain_ = total == 0;
    if (total > 0) extra_ = machine_.memory.allocate(static_cast<size_t>(total * kDotStepBytes));
    for (int64_t panel = 0; panel < panels; ++panel) {
      const DotRange part = columns.part(panel * kDotRows);
      uint8_t* at = extra_ == nullptr ? nullptr : static_cast<uint8_t*>(extra_->data());
      survey_.fold(kernels, columns.origin + part.first, part.count, offset, k, panel, panels,
                   Side::right, right_ + panel * kPieceBytes, panels * kPieceBytes,
                   at == nullptr ? at : at + extra[static_cast<size_t>(panel)] * kDotStepBytes);
    }
  }

  // How many of `count` rows from `row` on are multiplied in one call: those of the panels whose groups
  // all have one level, or one panel.
  int64_t plain_rows(const FoldedLeft& left, int64_t row, int64_t count, int64_t step,
                     int64_t steps) const {
    const auto is_plain_panel = [&](int64_t first) {
      for (int64_t s = 0; s < steps; s += kPieceSteps)
        if (left.group(first, (step + s) / kPieceSteps).levels != 1) return false;
      return true;
    };
    int64_t plain = 0;
    while (is_plain_ && plain < count && is_plain_panel(row + plain)) plain += kDotRows;
    return std::min(count, std::max(plain, kDotRows));
  }

  // One panel of rows, or several as of plain_rows(): runs of groups with one level together, the others
  // one by one. With `output` the sums go there.
  void multiply_chunk(const FoldedLeft& left, const DotRange& rows, int64_t panels, int64_t step,
                      int64_t steps, float* product, const FinishedOutput* output) {
    const int64_t row = rows.first;
    for (int64_t s = 0; s < steps;) {
      int64_t end = s;
      while (end < steps && is_plain(left, row, panels, step + end, end)) end += kPieceSteps;
      end = std::min(end, steps);
      const FinishedOutput* now = std::max(end, s + kPieceSteps) >= steps ? output : nullptr;
      if (end > s) {
        multiply_plain(left, rows, panels, step, s, end - s, product, now);
      } else {
        multiply_levels(left, row, panels, step, s, product);
        if (now != nullptr)
          machine_.kernels.dots.finish(
              {.product = product, .product_stride = kDotBlock, .panels = panels, .output = *now});
      }
      s = std::max(end, s + kPieceSteps);
    }
  }

  bool is_plain(const FoldedLeft& left, int64_t row, int64_t panels, int64_t step,
                int64_t s) const {
    if (left.group(row, step / kPieceSteps).levels != 1) return false;
    for (int64_t panel = 0; panel < panels && !is_plain_; ++panel)
      if (survey_.at(s / kPieceSteps, panel, panels).levels != 1) return false;
    return true;
  }

  void multiply_plain(const FoldedLeft& left, const DotRange& rows, int64_t panels, int64_t step,
                      int64_t s, int64_t steps, float* product,
                      const FinishedOutput* output) const {
    const int64_t row = rows.first, group = (step + s) / kPieceSteps;
    machine_.kernels.dots.multiply_folded(
        {.left = left.data(row, step + s),
         .left_stride = plan_.panel_bytes(),
         .left_panels = rows.panels(),
         .right = right_ + s / kPieceSteps * panels * kPieceBytes,
         .panels = panels,
         .steps = steps,
         .row_scale = left.scale(row, group),
         .row_scale_stride = left.scale(row, 1) - left.scale(row, 0),
         .column_scale = survey_.scale(s / kPieceSteps, 0, panels),
         .column_scale_stride = panels * kDotRows,
         .start = group == 0 ? start_ : nullptr,
         .product = product,
         .product_stride = kDotBlock,
         .product_left_stride = plan_.product_of(product_, kDotRows) - product_,
         .output = output});
  }

  void multiply_levels(const FoldedLeft& left, int64_t row, int64_t panels, int64_t step,
                       int64_t s, float* product) const {
    const int64_t group = (step + s) / kPieceSteps, piece = s / kPieceSteps;
    for (int64_t panel = 0; panel < panels; ++panel)
      machine_.kernels.dots.multiply_levels(
          {.left = left.data(row, step + s),
           .right = right_ + (piece * panels + panel) * kPieceBytes,
           .left_group = &left.group(row, group),
           .right_group = &survey_.at(piece, panel, panels),
           .row_scale = left.scale(row, group),
           .column_scale = survey_.scale(piece, panel, panels),
           .start = group == 0 ? start_ + panel * kDotRows : nullptr,
           .product = product + panel * kDotBlock});
  }

  const DotMachine& machine_;
  const DotPlan& plan_;
  const std::span<const uint8_t> regular_;
  Survey survey_;
  std::shared_ptr<Storage> storage_, extra_;
  uint8_t* right_;
  float *product_, *start_;
  uint16_t* finished_;  // a panel of rows
  bool is_plain_ = true;
};

}  // namespace

std::optional<std::vector<uint8_t>> find_regular_groups(const DotMachine& machine,
                                                        const QuantizedRows& matrix, int64_t rows,
                                                        int64_t k, bool scale_each_group) {
  const int64_t panels = (rows + kDotRows - 1) / kDotRows;
  const int64_t groups = (k + kFoldColumns - 1) / kFoldColumns;
  std::vector<uint8_t> regular(static_cast<size_t>(panels * groups));
  std::atomic<bool> foldable = true;
  machine.threads.parallel_for(panels, 16, [&](int64_t begin, int64_t end) {
    const Survey survey(machine.memory, matrix, scale_each_group, 1, groups);
    for (int64_t panel = begin; panel < end && foldable; ++panel) {
      const int64_t first = panel * kDotRows, count = std::min(kDotRows, rows - first);
      if (survey.look(machine.kernels.dots, first, count, 0, k, 0, 1) < 0) foldable = false;
      for (int64_t group = 0; group < groups; ++group)
        regular[static_cast<size_t>(panel * groups + group)] =
            survey.is_regular(first, count, group, 0, 1);
    }
  });
  if (!foldable) return std::nullopt;
  return regular;
}

namespace {

// What products share: the left operand, packed unless `packed` has it, and how it is cut.
struct FoldedFactors {
  const DotMachine& machine;
  const QuantizedRows& left;
  const FoldableMatrix& right;
  int64_t m, n;
  bool scale_each_group;
  DotPlan plan;

  bool multiply(const float* bias, const OuterScales& scales, const ProductOutput& output,
                const RowSink* sink, std::shared_ptr<PackedOperand>& packed) const {
    auto folded = std::dynamic_pointer_cast<FoldedLeft>(packed);
    const bool is_packed = folded != nullptr && folded->serves(machine, plan, m, scale_each_group);
    if (!is_packed) folded = std::make_shared<FoldedLeft>(machine, left, scale_each_group, plan);
    for (int64_t row = 0; row < m; row += plan.block_rows) {
      const DotRange block = {row, 0, std::min(plan.block_rows, m - row)};
      // Nothing is lost if a later block turns the product away: the other path writes all of it.
      if (!is_packed && !folded->pack(block)) return false;
      for_each_tile(
          machine.threads, plan, block, n,
          [&] { return FoldedTile(machine, plan, right, scale_each_group); },
          [&](FoldedTile& tile, const DotRange& rows, const DotRange& columns) {
            tile.run(*folded, rows, columns, n, bias, scales, output, sink);
          });
    }
    if (plan.block_rows >= m) packed = std::move(folded);
    return true;
  }
};

// A left operand for encoding to fill, and which of its rows were.
struct FillingLeft {
  std::shared_ptr<FoldedLeft> left;
  std::vector<uint8_t> is_folded;

  // No left operand where it would not serve a product.
  FillingLeft(const DotMachine& machine, const QuantizedRows& matrix, int64_t m, int64_t k,
              uint8_t folded) {
    if (m <= 0 || k <= 0 || k % kDotStep != 0) return;
    const DotPlan plan(m, 1, k, machine.threads.size());
    if (plan.block_rows < m) return;
    left = std::make_shared<FoldedLeft>(machine, matrix, true, plan);
    is_folded.assign(static_cast<size_t>(m), folded);
  }
  FoldedRows rows() { return left->rows(is_folded.data()); }
  std::shared_ptr<PackedOperand> filled() {
    const int64_t m = static_cast<int64_t>(is_folded.size());
    return left->pack({0, 0, m}, is_folded.data()) ? std::move(left) : nullptr;
  }
};

}  // namespace

void encode_folded(const DotMachine& machine, const QuantizedRows& matrix, int64_t m, int64_t k,
                   const std::function<void(const FoldedRows*)>& encode,
                   std::shared_ptr<PackedOperand>& packed) {
  packed = nullptr;
  FillingLeft filling(machine, matrix, m, k, 0);
  if (filling.left == nullptr) return encode(nullptr);
  const FoldedRows rows = filling.rows();
  encode(&rows);
  packed = filling.filled();
}

bool multiply_encoded(const DotMachine& machine, const QuantizedRows& left,
                      const FoldableMatrix& right, int64_t m, int64_t n, int64_t k,
                      const EncodedOutput& output, std::shared_ptr<PackedOperand>& packed,
                      std::shared_ptr<PackedOperand>& out_packed) {
  const bool known = output.function == Function::none || output.function == Function::gelu_tanh;
  if (machine.kernels.dots.finish == nullptr || !known || m <= 0 || k <= 0) return false;
  FillingLeft filling(machine, output.out, m, n, 1);
  if (filling.left == nullptr) return false;
  const EncodingSink sink(machine, output.encode, filling.rows());
  const FoldedFactors factors = {machine,
                                 left,
                                 right,
                                 m,
                                 n,
                                 true,
                                 DotPlan(m, n, k, machine.threads.size(), kFoldColumns)};
  const ProductOutput function = {.bias = nullptr, .function = output.function};
  if (!factors.multiply(output.bias, {}, function, &sink, packed)) return false;
  out_packed = filling.filled();
  return true;
}

bool multiply_folded(const DotMachine& machine, const QuantizedRows& left,
                     const FoldableMatrix& right, int64_t m, int64_t n, int64_t k,
                     bool scale_each_group, const OuterScales& scales, const ProductOutput& output,
                     std::shared_ptr<PackedOperand>& packed) {
  if (m <= 0 || n <= 0) return true;
  const FoldedFactors factors = {machine,
                                 left,
                                 right,
                                 m,
                                 n,
                                 scale_each_group,
                                 DotPlan(m, n, k, machine.threads.size())};
  if (!scale_each_group) return factors.multiply(nullptr, scales, output, nullptr, packed);
  ProductOutput at_end = output;
  at_end.bias = nullptr;
  return factors.multiply(output.bias, {}, at_end, nullptr, packed);
}

}  // namespace mxdit::cpu

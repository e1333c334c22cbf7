// Operands of folded products: groups and scales of their panels, and the packed left one.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "backend/cpu/dot_tiles.h"

namespace mxdit::cpu {

// Groups and scales of the panels of one operand, found before it is folded.
class Survey {
 public:
  Survey(MemoryPool& memory, const QuantizedRows& matrix, bool group_scales, int64_t panels,
         int64_t groups)
      : matrix_(matrix),
        group_scales_(group_scales),
        storage_(memory.allocate(
            static_cast<size_t>(panels * groups) *
            (sizeof(FoldedGroup) + kDotRows * sizeof(float)))),
        scales_(static_cast<float*>(storage_->data())),
        entries_(reinterpret_cast<FoldedGroup*>(scales_ + panels * groups * kDotRows)) {}

  // Slots are [group][panel], so that the scales of one group lie side by side.
  FoldedGroup& at(int64_t group, int64_t panel, int64_t panels) const {
    return entries_[group * panels + panel];
  }
  float* scale(int64_t group, int64_t panel, int64_t panels) const {
    return scales_ + (group * panels + panel) * kDotRows;
  }

  // Of rows [first, first + count) as panel `panel` of `panels`; columns from `offset` on. `regular`:
  // is_regular() of each group from column 0 on, or null. Returns the steps of the levels above 0, or
  // -1 if the panel cannot be folded.
  int64_t look(const DotKernels& kernels, int64_t first, int64_t count, int64_t offset, int64_t k,
               int64_t panel, int64_t panels, const uint8_t* regular = nullptr) const {
    int64_t extra = 0;
    bool foldable = true;
    for (int64_t begin = 0, group = 0; begin < k; begin += kFoldColumns, ++group) {
      FoldedGroup& entry = at(group, panel, panels);
      if (regular != nullptr && regular[(offset + begin) / kFoldColumns] != 0) {
        entry = plain_group(std::min(kFoldColumns, k - begin));
        float* scales = scale(group, panel, panels);
        for (int64_t r = 0; r < count; ++r) scales[r] = regular_scale(first + r, offset + begin);
        std::fill_n(scales + count, kDotRows - count, 0.0f);
        continue;
      }
      kernels.survey({.matrix = &matrix_,
                      .first = first,
                      .count = count,
                      .offset = offset + begin,
                      .k = std::min(kFoldColumns, k - begin),
                      .group_scales = group_scales_,
                      .group = &entry,
                      .scale = scale(group, panel, panels)});
      foldable = foldable && entry.levels > 0;
      for (int level = 1; level < entry.levels; ++level)
        extra += __builtin_popcount(entry.steps[level]);
    }
    return foldable ? extra : -1;
  }

  // Whether look() found one level in a group, and the scales of a matrix whose largest blocks have
  // exponent 0, as encoding with a scale for every group leaves them.
  bool is_regular(int64_t first, int64_t count, int64_t group, int64_t panel, int64_t panels) const {
    if (!group_scales_ || matrix_.scale == nullptr) return false;
    if (at(group, panel, panels).levels != 1) return false;
    const float* scales = scale(group, panel, panels);
    for (int64_t r = 0; r < count; ++r)
      if (scales[r] != regular_scale(first + r, group * kFoldColumns)) return false;
    return true;
  }
  static FoldedGroup plain_group(int64_t k) {
    FoldedGroup group = {};
    group.levels = 1;
    group.steps[0] = static_cast<uint8_t>((1u << (k + kDotStep - 1) / kDotStep) - 1u);
    return group;
  }

  // Folds what look() saw: groups `stride` bytes apart, steps of higher levels at `extra` and on.
  void fold(const DotKernels& kernels, int64_t first, int64_t count, int64_t offset, int64_t k,
            int64_t panel, int64_t panels, Side side, uint8_t* out, int64_t stride, uint8_t* extra) const {
    for (int64_t begin = 0, group = 0; begin < k; begin += kFoldColumns, ++group) {
      FoldedGroup& entry = at(group, panel, panels);
      entry.extra = extra;
      kernels.fold({.matrix = &matrix_,
                    .first = first,
                    .count = count,
                    .offset = offset + begin,
                    .k = std::min(kFoldColumns, k - begin),
                    .group = &entry,
                    .side = side,
                    .bias = side == Side::right ? kernels.right_bias : uint8_t{0},
                    .out = out + group * stride,
                    .extra = extra});
      for (int level = 1; level < entry.levels; ++level)
        extra += __builtin_popcount(entry.steps[level]) * kDotStepBytes;
    }
  }

  bool group_scales() const { return group_scales_; }

 private:
  // l0 * 2^(E - 4), E = 0.
  float regular_scale(int64_t row, int64_t column) const {
    return matrix_.scale[row * matrix_.scale_stride + column / kFoldColumns] * 0x1p-4f;
  }

  QuantizedRows matrix_;
  bool group_scales_;
  std::shared_ptr<Storage> storage_;
  float* scales_;
  FoldedGroup* entries_;
};

// The left operand of one block of rows.
class FoldedLeft : public PackedOperand {
 public:
  FoldedLeft(const DotMachine& machine, const QuantizedRows& matrix, bool group_scales,
             const DotPlan& plan)
      : machine_(machine),
        plan_(plan),
        panels_(plan.block_rows / kDotRows),
        survey_(machine.memory, matrix, group_scales, panels_,
                (plan.k + kFoldColumns - 1) / kFoldColumns),
        storage_(machine.memory.allocate(static_cast<size_t>(plan.left_bytes()))),
        extra_steps_(static_cast<size_t>(panels_)) {}

  // Whether a product with this plan can take it as it is: all rows, packed by the same kernels.
  bool serves(const DotMachine& machine, const DotPlan& plan, int64_t m, bool group_scales) const {
    return &machine.kernels == &machine_.kernels && plan.k == plan_.k && packed_rows_ == m &&
           plan.block_rows == plan_.block_rows && group_scales == survey_.group_scales();
  }

  // For encoding to fill; `is_folded` has an element for each row.
  FoldedRows rows(uint8_t* is_folded) {
    return {.panels = static_cast<uint8_t*>(storage_->data()),
            .panel_bytes = plan_.panel_bytes(),
            .scale = survey_.scale(0, 0, panels_),
            .scale_stride = panels_ * kDotRows,
            .is_folded = is_folded};
  }

  // Folds a block; with `is_folded`, panels that have a row which is not folded yet.
  bool pack(const DotRange& block, const uint8_t* is_folded = nullptr) {
    packed_rows_ = block.count;
    std::atomic<bool> foldable = true, has_extra = false;
    machine_.threads.parallel_for(block.panels(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t panel = begin; panel < end; ++panel) {
        const DotRange part = block.part(panel * kDotRows);
        int64_t& extra = extra_steps_[static_cast<size_t>(panel)];
        const uint8_t* rows = is_folded == nullptr ? nullptr : is_folded + part.first;
        if (rows != nullptr && std::count(rows, rows + part.count, 1) == part.count) {
          complete(panel, part.count);
          continue;
        }
        extra = survey_.look(machine_.kernels.dots, block.origin + part.first, part.count, 0,
                             plan_.k, panel, panels_);
        if (extra < 0) foldable = false;
        if (extra > 0) has_extra = true;
        if (extra == 0) fold(block, panel, nullptr);
      }
    });
    if (foldable && has_extra) fold_panels_with_extra(block);
    return foldable;
  }

  const uint8_t* data(int64_t row, int64_t step) const {
    return plan_.left_at(static_cast<const uint8_t*>(storage_->data()), row, step);
  }
  const FoldedGroup& group(int64_t row, int64_t group) const {
    return survey_.at(group, row / kDotRows, panels_);
  }
  const float* scale(int64_t row, int64_t group) const {
    return survey_.scale(group, row / kDotRows, panels_);
  }

 private:
  // What encoding leaves out: the groups of a panel, and rows behind the last one.
  void complete(int64_t panel, int64_t count) {
    for (int64_t step = 0, group = 0; step < plan_.steps; step += kPieceSteps, ++group) {
      survey_.at(group, panel, panels_) =
          Survey::plain_group(std::min(kPieceSteps, plan_.steps - step) * kDotStep);
      std::fill_n(survey_.scale(group, panel, panels_) + count, kDotRows - count, 0.0f);
    }
    uint8_t* at = static_cast<uint8_t*>(storage_->data()) + panel * plan_.panel_bytes();
    for (int64_t step = 0; step < plan_.steps; ++step)
      std::fill_n(at + step * kDotStepBytes + count * kDotStep, (kDotRows - count) * kDotStep, 0);
  }
  void fold(const DotRange& block, int64_t panel, uint8_t* extra) {
    const DotRange part = block.part(panel * kDotRows);
    survey_.fold(machine_.kernels.dots, block.origin + part.first, part.count, 0, plan_.k, panel,
                 panels_, Side::left,
                 static_cast<uint8_t*>(storage_->data()) + panel * plan_.panel_bytes(), kPieceBytes,
                 extra);
  }

  // Where the levels above 0 go is known when all panels have been looked at.
  void fold_panels_with_extra(const DotRange& block) {
    std::vector<int64_t> position(static_cast<size_t>(block.panels() + 1));
    for (size_t panel = 0; panel + 1 < position.size(); ++panel)
      position[panel + 1] = position[panel] + extra_steps_[panel];
    extra_ = machine_.memory.allocate(static_cast<size_t>(position.back() * kDotStepBytes));
    machine_.threads.parallel_for(block.panels(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t panel = begin; panel < end; ++panel) {
        const size_t i = static_cast<size_t>(panel);
        if (extra_steps_[i] > 0)
          fold(block, panel, static_cast<uint8_t*>(extra_->data()) + position[i] * kDotStepBytes);
      }
    });
  }

  const DotMachine machine_;
  const DotPlan plan_;
  int64_t panels_, packed_rows_ = 0;
  Survey survey_;
  std::shared_ptr<Storage> storage_, extra_;
  std::vector<int64_t> extra_steps_;
};

}  // namespace mxdit::cpu

// Products of operands packed as dots: groups of 4 bytes along k, 4 int8 or 2 bf16, that one lane
// of a multiplier (AMX, VNNI) takes at once. Rules as in kernel_table.h.
//
// A panel holds 32 rows of an operand. It is cut along k into steps of 64 bytes (64 int8 or 32
// bf16), 2 KiB each; rows behind the last one and elements behind the last one are zeros:
//   left:  step s = [32 rows][64 bytes]
//   right: step s = [2 halves][16 dots][16 rows][4 bytes], half h having rows 16 h to 16 h + 15
// A product of two panels is a [32, 32] block of f32, row-major. Blocks of one left panel with
// several right ones lie product_stride floats apart.
//
// The packed right operand of a folded product lies in pieces of 8 steps (512 int8), so that a piece
// of one left panel, 16 KiB, stays in L1 while it meets that piece of every right panel:
//   [piece][panel][8 steps], the last piece with unused space when it has fewer steps.
// That of a bf16 product, whose sums stay in registers over many steps, is packed in whole panels.
//
// Folding (docs/numerics.md): 2 * E2M1 is an integer of at most 12. With block exponents e of a group
// of 512 columns and their largest, E, a block of level l = (E - e) / 4 becomes the int8
//   2 * element << 3 - (E - e) % 4,
// so that the group is the sum over l of (its elements of level l) * 16^-l, times 2^(E - 4).
// Ordinary groups have the one level 0. int8 elements are folded as they are.
#pragma once

#include <cstdint>

namespace mxdit::cpu {

struct QuantizedRows;
enum class Element : uint8_t;
enum class Function : uint8_t;

inline constexpr int64_t kDotRows = 32;
inline constexpr int64_t kDotStep = 64;  // bytes of one row in one step
inline constexpr int64_t kDotStepBytes = kDotRows * kDotStep;
inline constexpr int64_t kDotBlock = kDotRows * kDotRows;  // floats of one product
inline constexpr int64_t kPieceSteps = 8;
inline constexpr int64_t kPieceBytes = kPieceSteps * kDotStepBytes;
inline constexpr int64_t kFoldColumns = kPieceSteps * kDotStep;  // 512
inline constexpr int64_t kFoldLevels = 7;  // exponents of a group further apart are not folded

enum class Side : uint8_t { left, right };

// Rows rows[r][offset ...] of bf16, E4M3 or E5M2 to bf16, whole steps.
struct PackDotsArgs {
  const void* const* rows;
  int64_t count;  // 1 .. 32
  int64_t offset, k;
  Element type;
  Side side;
  uint8_t* out;
};

// Code * block scale of rows first ... first + count - 1 to bf16, exact while the block scales are
// between 2^-40 and 2^40. `offset` is a multiple of 32.
struct WidenDotsArgs {
  const QuantizedRows* matrix;
  int64_t first, count;
  int64_t offset, k;
  Side side;
  uint8_t* out;
};

// One group of columns of one panel, as the folded products need it.
struct FoldedGroup {
  const uint8_t* extra;  // steps of levels 1 and more, level by level, ascending
  uint8_t levels;        // 1 .. kFoldLevels; 0: the group cannot be folded (a scale that is NaN,
                         // exponents too far apart, fp32 scales near the limits of fp32)
  uint8_t steps[kFoldLevels];  // bit s: the level has elements in step s. With one level all bits
};

// Finds levels and scales of one group for rows first ... first + count - 1; scale[r] = l0 scale *
// 2^(E - 4), zero for rows behind the last one; l0 scales count as 1 where the matrix has none for
// groups.
struct SurveyArgs {
  const QuantizedRows* matrix;
  int64_t first, count;
  int64_t offset, k;  // at most kFoldColumns
  bool group_scales;
  FoldedGroup* group;
  float* scale;  // [32]
};

// Folds one group. Level 0 goes to `out`, all its steps; further levels to `extra`, which is
// group->extra, only the steps they have. Every byte has `bias` added.
struct FoldArgs {
  const QuantizedRows* matrix;
  int64_t first, count;
  int64_t offset, k;
  const FoldedGroup* group;
  Side side;
  uint8_t bias;
  uint8_t *out, *extra;
};

// Where sums become an output, function(sum + bias) rounded once: bf16, whole panels of columns,
// `rows` rows, which are the first 32 where a kernel takes one panel.
struct FinishedOutput {
  const float* bias;  // of the first column; null: none
  Function function;  // none or gelu_tanh
  uint16_t* out;
  int64_t stride;            // elements from row to row
  int64_t panel_stride;      // from one panel of columns to the next
  int64_t row_panel_stride;  // from 32 rows to the next 32
  int64_t rows;
};

// product (+)= left right^T in bf16 with fp32 sums, k in order; every right panel for itself.
struct MultiplyDotsArgs {
  // Row r of step s is at left + left_steps[s] + r * left_stride; without left_steps the panel is
  // packed and left_stride is 64.
  const uint8_t* left;
  int64_t left_stride;
  const int64_t* left_steps;
  const uint8_t* right;
  int64_t right_stride;  // bytes from panel to panel
  int64_t panels, steps;
  float* product;
  int64_t product_stride;
  bool accumulate;
};

// The same for packed panels of rows, one after the other.
struct MultiplyPanelsArgs {
  const uint8_t* left;
  int64_t left_stride;  // bytes from panel to panel
  int64_t left_panels;
  const uint8_t* right;
  int64_t right_stride;
  int64_t panels, steps;
  float* product;
  int64_t product_stride;       // floats from one right panel to the next
  int64_t product_left_stride;  // and from one left panel to the next
  bool accumulate;
  const FinishedOutput* output;  // where the last sums go, instead; null: nowhere
};

// product = start + sum over groups of (left right^T) * (row_scale * column_scale), groups being
// pieces of one level. Their sums are whole numbers, every fp32 operation is rounded. Panels of rows one
// after the other; the one behind the last is fetched too, where memory has it.
struct MultiplyFoldedArgs {
  const uint8_t* left;
  int64_t left_stride;  // bytes from panel to panel
  int64_t left_panels;
  const uint8_t* right;
  int64_t panels, steps;
  const float* row_scale;  // [left_panels * 32] of each group
  int64_t row_scale_stride;
  const float* column_scale;  // [panels * 32] of each group
  int64_t column_scale_stride;
  const float* start;  // [panels * 32], the same for all rows; null: the product
  float* product;
  int64_t product_stride;
  int64_t product_left_stride;  // 0: one buffer for all, where `output` takes the sums
  const FinishedOutput* output;  // as above, after the last group; without a bias
};

// Products of one panel of rows to bf16.
struct FinishArgs {
  const float* product;
  int64_t product_stride, panels;
  FinishedOutput output;
};

// One block, groups of any levels.
struct MultiplyLevelsArgs {
  const uint8_t *left, *right;
  const FoldedGroup *left_group, *right_group;
  const float *row_scale, *column_scale;
  const float* start;
  float* product;
};

// All of them or none.
struct DotKernels {
  uint8_t right_bias;  // of folded right panels: 128 where the multiplier takes them as unsigned
  void (*pack)(const PackDotsArgs&) noexcept;
  void (*widen)(const WidenDotsArgs&) noexcept;
  void (*survey)(const SurveyArgs&) noexcept;
  void (*fold)(const FoldArgs&) noexcept;
  void (*multiply_folded)(const MultiplyFoldedArgs&) noexcept;
  void (*multiply_levels)(const MultiplyLevelsArgs&) noexcept;
  // What a product with `output` does with its sums; null: kernels take no `output`.
  void (*finish)(const FinishArgs&) noexcept;
  // These two are null where bf16 products are no faster than fp32 ones: plain products take those.
  void (*multiply)(const MultiplyDotsArgs&) noexcept;
  void (*multiply_panels)(const MultiplyPanelsArgs&) noexcept;
};

}  // namespace mxdit::cpu

// The kernels of one instruction set: plain argument structs and a table of function pointers.
//
// This header is all that the files of scalar/, avx2/ and avx512/ include, so it holds no inline
// code. Rules for every kernel:
// - noexcept, no allocation, arguments already checked; pointers need only element alignment unless
//   a comment says otherwise;
// - works on a range [begin, end) of rows or elements, and what it writes for one row or element
//   does not depend on the range it came in: the back end may split work as it likes;
// - fp32 arithmetic, one rounding (to nearest even) at the output.
#pragma once

#include <cstdint>

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/dot_kernels.h"

namespace mxdit::cpu {

enum class Element : uint8_t { f32, bf16, f16, f8_e4m3, f8_e5m2 };
enum class Function : uint8_t { none, silu, gelu_tanh, gelu_erf };

// Quantized matrices, in the terms of formats/quant_format.h. E2M1 has two elements a byte, the
// others one; int4 lies in bytes of its own.
enum class Code : uint8_t { e2m1, e4m3, e5m2, int8, int4 };
enum class BlockScale : uint8_t { none, e8m0, e4m3 };
enum class Rounding : uint8_t { rint, round, floor };
enum class ScaleOrigin : uint8_t { dual_level, shared_exponent, row_maximum, nv_block };

// What a table asks of the machine.
inline constexpr uint32_t kIsaAvx2 = 1;    // with FMA and F16C
inline constexpr uint32_t kIsaAvx512 = 2;  // F, BW, VL and DQ
inline constexpr uint32_t kIsaAvx512Vnni = 4;  // with BF16
inline constexpr uint32_t kIsaAmx = 8;         // tiles, int8 and bf16

// ---- elements: ranges count elements ----

struct CastArgs {
  const void* in;
  void* out;
  Element in_type, out_type;  // out: f32, bf16 or f16
};

struct AddArgs {
  const void *a, *b;
  void* out;
  Element type, b_type;
  int64_t period;  // b[i % period]
};

struct ActivateArgs {
  const void *x, *y;  // y may be null
  void* out;
  Element type;
  Function function;
};

struct CombineArgs {
  const float* coefficients;
  const void* const* inputs;
  const Element* types;
  int64_t count;
  void* out;
  Element out_type;
};

// ---- rows of `columns` elements: ranges count rows ----

struct LayerNormArgs {
  const void* x;
  void* out;
  Element type;
  int64_t columns;
  float eps;
  const float *gain, *bias;  // null, or rows of which row r of x takes number r / rows_per_gain
  int64_t rows_per_gain;
  float gain_offset;  // added to gain: 1 for modulation, 0 otherwise
};

// out = function(x * factor * gain); factor is 1 / sqrt(mean(x^2) + eps) for rms_norm and
// sqrt(columns) / max(|x|, 1e-12) for channel_norm.
struct ScaleNormArgs {
  const void* x;
  void* out;
  Element type;
  int64_t columns;
  float eps;
  const float* gain;
  Function function;
};

struct GateAddArgs {
  const void *x, *y;
  const float* gate;  // row r takes gate number r / rows_per_gate
  void* out;
  Element type;
  int64_t columns, rows_per_gate;
};

// Rows are (batch, position, head); row r is at position (r / heads) % positions.
struct RopeArgs {
  const void* x;
  const float *cos, *sin;
  void* out;
  Element type;
  int64_t positions, heads, head_dim;
};

// ---- quantized matrices: ranges count rows ----

// Left panels of a product (dot_kernels.h) that encoding fills as it goes along.
struct FoldedRows {
  uint8_t* panels;      // 64-byte aligned
  int64_t panel_bytes;  // from panel to panel
  float* scale;         // of row r and group g of 512 columns at g * scale_stride + r
  int64_t scale_stride;
  uint8_t*
      is_folded;  // set to 1 for every row that was: the others are to be folded from their codes
};

// Encodes rows of x to the bits that formats/reference.h defines. Strides go from row to row, in
// units of what they step over; dual_level has a scale per 512 columns, row_maximum and nv_block
// one for each row.
struct QuantizeArgs {
  const void* x;
  const void* smooth;  // [columns] in x's type; null: ones
  Element type;        // bf16 or f16
  int64_t columns;
  ScaleOrigin origin;
  Code code;
  Rounding rounding;  // e4m3 and e5m2 always round to nearest even
  float largest;      // magnitude of `code`
  int max_exponent;   // floor(log2(largest))
  int64_t block;      // columns of one block scale: 16 or 32
  float least_scale, static_scale, static_offset;
  uint8_t* elements;
  int64_t element_stride;
  uint8_t* block_scale;
  int64_t block_stride;
  int64_t block_count;  // of a row: codes behind the last block become 0
  float* scale;
  int64_t scale_stride;
  // Null, or where dual_level also goes; kernels need not do it. Columns are a multiple of 64.
  const FoldedRows* folded = nullptr;
};

// Reading: an element is code * block scale * scale. Null scales are ones.
struct QuantizedRows {
  Code code;
  const uint8_t* elements;
  int64_t element_stride;
  BlockScale block_type;
  const uint8_t* block_scale;
  int64_t block_stride, block;
  const float* scale;
  int64_t scale_stride, group;  // columns of one scale
};

// f32, rounded once.
struct DequantizeArgs {
  QuantizedRows in;
  int64_t columns;
  float* out;
};

// ---- bytes ----

// Copies runs along the last axis; a range counts runs, in row-major order of the other axes.
struct CopyArgs {
  const void* in;
  void* out;
  int64_t element_bytes;  // 1, 2, 4 or 8
  int rank;
  const int64_t *extents, *in_strides, *out_strides;  // in elements
};

// Nearest 2x; a range counts rows of input pixels, each of which makes two rows.
struct UpsampleArgs {
  const void* x;
  void* out;
  int64_t width, pixel_bytes, out_line_bytes;
};

// ---- matrix products ----
//
// Operands are packed into panels of `width` rows: panel p holds, for k = 0, 1, ..., the k-th
// elements of its rows side by side, as fp32; rows behind the last one are zeros. The left operand
// has panels of MatrixKernels::mr rows, the right one of nr. Products live in column panels: panel
// j holds for every row the nr columns from j * nr on, so one panel is a [rows, nr] matrix.

struct PackArgs {
  const void* const* rows;
  int64_t count;   // pack: rows; pack_columns: elements of each row
  int64_t offset;  // first element of every row to read
  int64_t k;       // pack: elements of each row; pack_columns: rows
  Element type;
  float scale;
  int64_t width, panel_stride;  // in floats
  float* out;                   // 64-byte aligned when width * 4 is a multiple of 64
};

// Code * block scale of rows first ... first + count - 1, without the fp32 scales: exact, unless it
// leaves fp32's range (E8M0 codes of 247 and more can). `offset` is a multiple of the block.
struct PackQuantizedArgs {
  const QuantizedRows* matrix;
  int64_t first, count, offset, k;
  int64_t width, panel_stride;
  float* out;
};

struct MultiplyArgs {
  const float* left;
  int64_t rows, left_stride;  // stride from panel to panel
  const float* right;         // 64-byte aligned
  int64_t panels, right_stride;
  int64_t k;
  float* product;  // 64-byte aligned
  int64_t product_stride;
  bool accumulate;  // product += left right^T, else product =
  // With these, and accumulate: product += left right^T * (row_scale[r] * column_scale[c]), every
  // operation rounded. Row r's scale is at r * row_scale_stride. Either may be null: ones.
  const float* row_scale = nullptr;
  int64_t row_scale_stride = 0;
  const float* column_scale = nullptr;  // whole panels of nr
};

// out = function(product * (row_scale * column_scale) + bias), row r at out + r * out_stride. With
// a scale and no bias, the bias is 0.
struct StoreArgs {
  const float* product;
  int64_t product_stride;
  int64_t rows, columns;
  const float* bias;  // may be null
  Function function;
  void* out;
  Element out_type;  // f32, bf16 or f16
  int64_t out_stride;
  const float *row_scale = nullptr, *column_scale = nullptr;  // either may be null: ones
};

// One block of keys of an online softmax for nr queries, one per lane: turns scores [keys, nr] into
// exp(score - running maximum), updates maximum and sum, and rescales the accumulated rows.
struct SoftmaxArgs {
  float* scores;
  const float* bias;  // [keys, nr] added to the scores first; may be null
  int64_t keys;
  float *maximum, *sum;
  float* accumulated;  // [rows, nr]
  int64_t rows;
};

// out[q, d] = product[d, q] / divisor[q] + bias[d] for one column panel. A null divisor is 1; a
// divisor of 0 gives zeros.
struct StoreTransposedArgs {
  const float* product;
  int64_t rows, columns;
  const float *divisor, *bias;  // either may be null; divisor has nr elements
  void* out;
  Element out_type;
  int64_t out_stride;
};

// These agree on mr and nr, so a table has all of them or none.
struct MatrixKernels {
  int mr, nr;
  // Row r of the panels is rows[r][offset ...].
  void (*pack)(const PackArgs&) noexcept;
  // The transposed operand: row r of the panels is rows[0 ... k-1][offset + r].
  void (*pack_columns)(const PackArgs&) noexcept;
  void (*pack_quantized)(const PackQuantizedArgs&) noexcept;
  void (*multiply)(const MultiplyArgs&) noexcept;
  void (*store)(const StoreArgs&) noexcept;
  void (*store_transposed)(const StoreTransposedArgs&) noexcept;
  void (*softmax)(const SoftmaxArgs&) noexcept;
};

template <typename Args>
using RangeKernel = void (*)(const Args&, int64_t begin, int64_t end) noexcept;

// A null entry is inherited from the table below (see isa.cc).
struct KernelTable {
  const char* name;
  uint32_t isa;
  RangeKernel<CastArgs> cast = nullptr;
  RangeKernel<AddArgs> add = nullptr;
  RangeKernel<ActivateArgs> activate = nullptr;
  RangeKernel<CombineArgs> combine = nullptr;
  RangeKernel<LayerNormArgs> layer_norm = nullptr;
  RangeKernel<ScaleNormArgs> rms_norm = nullptr;
  RangeKernel<ScaleNormArgs> channel_norm = nullptr;
  RangeKernel<GateAddArgs> gate_add = nullptr;
  RangeKernel<RopeArgs> rope = nullptr;
  RangeKernel<CopyArgs> copy = nullptr;
  RangeKernel<UpsampleArgs> upsample2x = nullptr;
  RangeKernel<QuantizeArgs> quantize = nullptr;
  RangeKernel<DequantizeArgs> dequantize = nullptr;
  MatrixKernels matrix = {};
  DotKernels dots = {};  // entries that a table lacks are null, where no table below it has them
  AttentionKernels attention = {};  // null but for the tables that are faster with them
};

// Defined by the ISA folders; null where the build lacks the folder's instruction set.
const KernelTable* scalar_table() noexcept;
const KernelTable* avx2_table() noexcept;
const KernelTable* avx512_table() noexcept;
const KernelTable* avx512_vnni_table() noexcept;
const KernelTable* amx_table() noexcept;

}  // namespace mxdit::cpu

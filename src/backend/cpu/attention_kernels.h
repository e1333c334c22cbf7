// Attention on operands packed as dots (dot_kernels.h), an online softmax between two
// products. Rules as in kernel_table.h.
//
// Queries come in left panels, keys in right ones, each a row of steps of the head dimension.
// Values are the right operand of the second product, whose k runs over keys: they are cut into
// chunks of 8 steps of 32 keys,
//   chunk = [steps of the head dimension][8 steps of keys][2 halves][16 dots][16 rows][4 bytes],
// rows being elements of the head dimension, and dot i of a step holding keys i and i + 16, because
// two vectors of 16 weights become one of 16 dots by shifting one and masking the other. Keys
// behind the last one and elements behind the last one are zeros.
//
// Scores may come from int8 instead of bf16 (after SageAttention, arXiv 2410.02367): a query is
// codes times a scale of its own, and so are 32 keys, less the mean of all keys, which adds the
// same to all scores of a query and so changes no weight. Values are bf16 either way.
#pragma once

#include <cstdint>

#include "backend/cpu/dot_kernels.h"

namespace mxdit::cpu {

inline constexpr int64_t kKeyStep = 32;
inline constexpr int64_t kChunkSteps = 8;
inline constexpr int64_t kChunkKeys = kChunkSteps * kKeyStep;

// Rows rows[0 ... count - 1] of bf16 to one chunk; `steps` of the head dimension `dim`.
struct PackValuesArgs {
  const void* const* rows;
  int64_t count;  // 1 .. kChunkKeys
  int64_t dim, steps;
  uint8_t* out;
};

// What int8 needs to know of rows of bf16 before they are quantized.
struct SurveyRowsArgs {
  const void* const* rows;
  int64_t count, dim;
  float* sums;        // [dim]: every element is added to; may be null
  uint16_t* largest;  // raised to the bits of the largest |element|; NaN counts as the largest
};

// Rows of bf16 minus `mean` to int8, to nearest even, `steps` of 64. scale = largest / 127; 0 is
// never divided by. Left panels have 32 scales, those of rows behind the last one 0; right ones
// one.
struct PackInt8Args {
  const void* const* rows;
  int64_t count;  // 1 .. 32
  int64_t dim, steps;
  const float* mean;  // [dim]
  float factor;       // of the scales
  Side side;
  float* scales;
  uint8_t* out;
};

// out[i] = sum_j w_ij v_j / sum_j w_ij, with w_ij = 2^(scale * q_i.k_j - r_i) rounded to bf16, for
// some reference r_i near the largest logit; what a row gets depends on no other row.
struct AttendArgs {
  const uint8_t* queries;  // left panels
  int64_t panels;
  const uint8_t *keys, *values;
  int64_t key_count;    // not 0
  int64_t steps;        // of the head dimension, of values
  int64_t score_steps;  // of queries and keys: of 32 bf16 or 64 int8
  float scale;          // of the products to logits in base 2, in bf16
  // Of int8: a logit in base 2 is the product times both, for each query and each step of keys.
  // Null: bf16.
  const float *query_scales, *key_scales;
  void* workspace;     // workspace_bytes(panels, steps), 64-byte aligned
  void* out;           // bf16
  int64_t out_stride;  // in elements
  int64_t query_count, dim;
};

// All of them or none.
struct AttentionKernels {
  void (*pack_values)(const PackValuesArgs&) noexcept;
  void (*attend)(const AttendArgs&) noexcept;
  int64_t (*workspace_bytes)(int64_t panels, int64_t steps) noexcept;
  void (*survey_rows)(const SurveyRowsArgs&) noexcept;
  void (*pack_int8)(const PackInt8Args&) noexcept;
};

}  // namespace mxdit::cpu

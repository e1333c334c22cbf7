// Attention on bf16 operands packed as dots (dot_kernels.h), an online softmax between two
// products. Rules as in kernel_table.h.
//
// Queries come in left panels, keys in right ones, each a row of steps of the head dimension.
// Values are the right operand of the second product, whose k runs over keys: they are cut into
// chunks of 8 steps of 32 keys,
//   chunk = [steps of the head dimension][8 steps of keys][2 halves][16 dots][16 rows][4 bytes],
// rows being elements of the head dimension, and dot i of a step holding keys i and i + 16, because
// two vectors of 16 weights become one of 16 dots by shifting one and masking the other. Keys
// behind the last one and elements behind the last one are zeros.
#pragma once

#include <cstdint>

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

// out[i] = sum_j w_ij v_j / sum_j w_ij, with w_ij = 2^(scale * q_i.k_j - r_i) rounded to bf16, for
// some reference r_i near the largest logit; what a row gets depends on no other row.
struct AttendArgs {
  const uint8_t* queries;  // left panels
  int64_t panels;
  const uint8_t *keys, *values;
  int64_t key_count;   // not 0
  int64_t steps;       // of the head dimension
  float scale;         // of the products to logits in base 2
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
};

}  // namespace mxdit::cpu

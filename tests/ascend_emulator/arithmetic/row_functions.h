// Operators on whole rows: LayerNorm, RmsNorm, Softmax, attention. Sums and functions in double.
#pragma once

#include "ascend_emulator/arithmetic/view.h"

namespace ascend_emulator::arithmetic {

// The last dims of x, `length` elements in all, are normalized. Weight, bias null or dense with
// `length` elements; mean, reciprocal of the deviation null or one element per row.
struct LayerNorm {
  int64_t length = 0;
  double epsilon = 0;
  const View* weight = nullptr;
  const View* bias = nullptr;
};
void layer_norm(const View& x, const LayerNorm& norm, const View& out, const View* mean,
                const View* rstd);

// y = x / sqrt(mean(x^2) + epsilon) * gamma over the dims of gamma, the last ones of x; rstd one
// element per row.
void rms_norm(const View& x, const View& gamma, double epsilon, const View& y, const View& rstd);

void softmax(const View& x, int64_t axis, const View& out);

// q [B, N, Sq, D], k [B, Nkv, Skv, D], v [B, Nkv, Skv, Dv] as strided views, N a multiple of Nkv.
// Masked (nonzero) logits leave the softmax; a row of masked logits alone gives zeros.
struct Attention {
  View q, k, v;
  const View* mask = nullptr;  // bytes, broadcast to [B, N, Sq, Skv]
  float scale = 1;
  View out;                  // [B, N, Sq, Dv]
  float* maximum = nullptr;  // [B, N, Sq, 8] dense: the row's maximum, eight times; or null
  float* sum = nullptr;      // likewise, sum of exp(logit - maximum)
};
void attention(const Attention& attention);

}  // namespace ascend_emulator::arithmetic

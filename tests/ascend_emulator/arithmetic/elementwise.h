// Elementwise operators: Add, Sub, Mul, Adds, Muls, Cast, GeluV2, Silu, rotary embedding.
//
// Operands are widened to fp32, each operation rounds to fp32, and the result once to out's type.
#pragma once

#include "ascend_emulator/arithmetic/view.h"

namespace ascend_emulator::arithmetic {

// Left and right broadcast to out's dims.
void add(const View& left, const View& right, float alpha, const View& out);
void subtract(const View& left, const View& right, float alpha, const View& out);
void multiply(const View& left, const View& right, const View& out);
void add_scalar(const View& self, float scalar, float alpha, const View& out);
void multiply_scalar(const View& self, float scalar, const View& out);

// Every element type to every other but E8M0. Floats round to nearest even, to integers towards
// zero with saturation; integers pass through 64 bits. Dims equal.
void cast(const View& self, const View& out);

enum class Gelu { kErf = 0, kTanh = 1 };
// In double, then fp32, then out's type; 16-bit inputs go through a table of all of them.
void gelu(const View& x, Gelu kind, const View& out);
void silu(const View& x, const View& out);

enum class Rotation { kHalf = 0, kInterleave = 1 };
// out = fp32(fp32(x * cos) + fp32(rot(x) * sin)) along the last axis D (even); cos and sin
// broadcast to x. rot: halves (-x[D/2..], x[..D/2]), or pairs (-x[2i+1], x[2i]).
void rotary_embedding(const View& x, const View& cos, const View& sin, Rotation rotation,
                      const View& out);

}  // namespace ascend_emulator::arithmetic

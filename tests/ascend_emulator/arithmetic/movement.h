// Operators that only move elements: Permute, Cat, ConstantPadNd. Bits are kept.
#pragma once

#include "ascend_emulator/arithmetic/view.h"

namespace ascend_emulator::arithmetic {

// out.dims[i] = self.dims[axes[i]]
void permute(const View& self, const Dims& axes, const View& out);
void concatenate(const std::vector<View>& parts, int64_t axis, const View& out);
// pads: (before, after) of the last axis, then of the one before it, ...; `fill` points at one
// element of out's type.
void pad_constant(const View& self, const Dims& pads, const void* fill, const View& out);

}  // namespace ascend_emulator::arithmetic

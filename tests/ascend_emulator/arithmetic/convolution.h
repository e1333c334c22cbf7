// Convolution of NCDHW: stride, zero padding, dilation, groups. Not transposed.
#pragma once

#include <array>

#include "ascend_emulator/arithmetic/view.h"

namespace ascend_emulator::arithmetic {

struct Convolution {
  std::array<int64_t, 3> stride{1, 1, 1};
  std::array<int64_t, 3> padding{0, 0, 0};
  std::array<int64_t, 3> dilation{1, 1, 1};
  int64_t groups = 1;

  // Elements along one of the three axes (0: depth) of the output; at most 0 when none fits.
  int64_t out_dim(int axis, int64_t in, int64_t kernel) const;
};

// input [N, Cin, D, H, W], weight [Cout, Cin / groups, kD, kH, kW], bias null or [Cout]. Sum and
// bias in double, then fp32, then out's type.
void convolve(const View& input, const View& weight, const View* bias,
              const Convolution& convolution, const View& out);

}  // namespace ascend_emulator::arithmetic

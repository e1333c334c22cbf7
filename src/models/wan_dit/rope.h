// Rotary positions in time, height and width.
#pragma once

#include <array>
#include <cstdint>

#include "core/tensor.h"

namespace mxdit::wan_dit {

// Patches along time, height and width.
using Grid = std::array<int64_t, 3>;

inline int64_t tokens(const Grid& grid) {
  return grid[0] * grid[1] * grid[2];
}

struct RopeAngles {
  Tensor cos, sin;  // f32 [tokens, head_size / 2], host
};

// The first pairs of a head turn with time, the next with height, the last with width; tokens in
// the order of [frame, row, column]. Angles in float64 as diffusers has them.
RopeAngles rope_angles(const Grid& grid, int64_t head_size);

}  // namespace mxdit::wan_dit

// Division of extents into blocks.
#pragma once

#include <cstdint>

namespace mxdit::cpu {

// How many blocks hold `count` of something.
constexpr int64_t blocks(int64_t count, int64_t block) {
  return (count + block - 1) / block;
}

constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return blocks(value, multiple) * multiple;
}

}  // namespace mxdit::cpu

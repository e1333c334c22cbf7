// Token counts as extents of latents.
#pragma once

#include <array>
#include <cstdint>

namespace mxdit::bench {

// Three factors of `tokens`, each at most `most`, the last two as equal as they can be and the
// first (frames) as small: 4096 -> 1, 64, 64. Error{usage} naming --tokens where there are none.
std::array<int64_t, 3> token_grid(int64_t tokens, int64_t most);

}  // namespace mxdit::bench

#include "bench/token_grid.h"

#include <cmath>

#include "core/error.h"

namespace mxdit::bench {

std::array<int64_t, 3> token_grid(int64_t tokens, int64_t most) {
  for (int64_t frames = 1; frames <= most && frames <= tokens; ++frames) {
    if (tokens % frames != 0) continue;
    const int64_t plane = tokens / frames;
    for (int64_t rows = static_cast<int64_t>(std::sqrt(static_cast<double>(plane))); rows >= 1;
         --rows)
      if (plane % rows == 0 && plane / rows <= most) return {frames, rows, plane / rows};
  }
  fail(ErrorKind::usage, "[bench] --tokens: expected a product of three numbers up to ", most,
       ", got ", tokens);
}

}  // namespace mxdit::bench

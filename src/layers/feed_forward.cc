#include "layers/feed_forward.h"

#include <algorithm>
#include <vector>

#include "ops/ops.h"

namespace mxdit {

Tensor FeedForward::operator()(const LinearInput& x) const {
  const int64_t count = x.shape().elements() / first_.in_features();
  const int64_t parts = (count + kPartRows - 1) / kPartRows;
  const auto run = [this](const LinearInput& part) {
    return second_.apply(*first_.apply_for(second_, *first_.encode(part), act_));
  };
  if (parts <= 1) return unflatten_rows(run(x), x.shape());
  const Tensor rows = x.rows();
  const int64_t step = (count + parts - 1) / parts;
  std::vector<Tensor> results;
  for (int64_t begin = 0; begin < count; begin += step)
    results.push_back(run(rows.slice(begin, std::min(begin + step, count))));
  return unflatten_rows(ops::concat(backend_, results, 0), x.shape());
}

}  // namespace mxdit

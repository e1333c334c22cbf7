// Two linear layers with an activation between them: second(act(first(x))).
#pragma once

#include <string>

#include "layers/linear.h"

namespace mxdit {

class FeedForward {
 public:
  struct Sizes {
    int64_t in, hidden, out;
  };
  // Both layers have a bias.
  FeedForward(const ModelSource& source, const std::string& first, const std::string& second,
              const Sizes& sizes, Activation act)
      : first_(source, first, sizes.hidden, sizes.in, Bias::required),
        second_(source, second, sizes.out, sizes.hidden, Bias::required),
        act_(act) {}

  // x [..., in] -> [..., out]
  Tensor operator()(const Tensor& x) const { return second_(first_(x, act_)); }

 private:
  Linear first_, second_;
  Activation act_;
};

}  // namespace mxdit

// Two linear layers with an activation between them: second(act(first(x))).
#pragma once

#include <string>

#include "layers/linear.h"

namespace mxdit {

class FeedForward {
 public:
  // Long enough that packing the weights for each part costs little, short enough that what lies
  // between the layers, encoded, is packed at one time: 64 MiB hold 4832 rows of 13824.
  static constexpr int64_t kPartRows = 4800;

  struct Sizes {
    int64_t in, hidden, out;
  };
  // Both layers have a bias.
  FeedForward(const ModelSource& source, const std::string& first, const std::string& second,
              const Sizes& sizes, Activation act)
      : backend_(*source.backend),
        first_(source, first, sizes.hidden, sizes.in, Bias::required),
        second_(source, second, sizes.out, sizes.hidden, Bias::required),
        act_(act) {}

  // x [..., in] -> [..., out]. More than kPartRows rows are taken in parts: what lies between the
  // layers is the largest tensor of a transformer. Rows do not depend on each other.
  Tensor operator()(const LinearInput& x) const;

 private:
  Backend& backend_;
  Linear first_, second_;
  Activation act_;
};

}  // namespace mxdit

// Linear layers that read the same input (q, k and v): it is encoded once for all that agree.
#pragma once

#include <string>
#include <vector>

#include "layers/linear.h"

namespace mxdit {

class LinearGroup {
 public:
  // One layer per scope, each [out, in].
  LinearGroup(const ModelSource& source, const std::vector<std::string>& scopes,
              int64_t out_features, int64_t in_features, Bias bias);

  // x [..., in] -> one [..., out] per scope, in order.
  std::vector<Tensor> operator()(const LinearInput& x) const;

  // The encoding keys of all layers at the present step, in order.
  std::string encoding_keys() const;

 private:
  std::vector<Linear> layers_;
};

}  // namespace mxdit

#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {

Tensor linear(Backend& backend, const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
              Activation act) {
  check_activation("linear", x);
  const int64_t in = weight.in_features(), out_features = weight.out_features();
  const int rank = x.shape().rank();
  MXDIT_CHECK(rank >= 1 && x.dim(-1) == in, "[ops] linear: expected input [..., ", in,
              "] for a weight [", out_features, ", ", in, "], got ", x.shape());
  if (bias != nullptr) check_parameter("linear", "bias", *bias, {out_features});
  std::vector<int64_t> dims = x.shape().dims();
  dims.back() = out_features;
  const Shape shape(std::move(dims));
  const int64_t rows = in > 0 ? x.elements() / in : 0;
  Tensor out = backend.empty(x.dtype(), {rows, out_features});
  if (rows > 0) backend.linear(x.reshape({rows, in}), weight, bias, act, out);
  return out.reshape(shape);
}

}  // namespace mxdit::ops

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

namespace {

void check_input(const PlainMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                 DType dtype) {
  MXDIT_CHECK(x.columns == weight.in_features(), "[ops] linear: expected input [M, ",
              weight.in_features(), "], got [", x.rows, ", ", x.columns, "]");
  MXDIT_CHECK(x.packed != nullptr || (x.x.defined() && x.x.shape() == Shape{x.rows, x.columns} &&
                                      x.x.dtype() == dtype),
              "[ops] linear: expected an input ", name(dtype), " [", x.rows, ", ", x.columns,
              "], got ", x.x.defined() ? name(x.x.dtype()) : "none");
  if (bias != nullptr) check_parameter("linear", "bias", *bias, {weight.out_features()});
}

}  // namespace

Tensor linear(Backend& backend, const PlainMatrix& x, const PreparedWeight& weight,
              const Tensor* bias, Activation act, DType dtype) {
  check_input(x, weight, bias, dtype);
  Tensor out = backend.empty(dtype, {x.rows, weight.out_features()});
  if (x.rows > 0) backend.shared_linear(x, weight, bias, act, out);
  return out;
}

PlainMatrix linear_packed(Backend& backend, const PlainMatrix& x, const PreparedWeight& weight,
                          const Tensor* bias, Activation act, DType dtype,
                          const PreparedWeight& next) {
  check_input(x, weight, bias, dtype);
  PlainMatrix out = {.rows = x.rows, .columns = weight.out_features(), .x = {}};
  if (x.rows > 0 && dtype == DType::bf16 &&
      backend.linear_packed(x, weight, bias, act, next, out))
    return out;
  out.x = linear(backend, x, weight, bias, act, dtype);
  return out;
}

}  // namespace mxdit::ops

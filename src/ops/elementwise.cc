#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {

Tensor gate_add(Backend& backend, const Tensor& x, const Tensor& y, const Tensor& gate) {
  check_activation("gate_add", x);
  check_rank("gate_add", x, 3);
  check_same("gate_add", x, y);
  check_modulation("gate_add", "gate", x, gate);
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.gate_add(x, y, gate, out);
  return out;
}

Tensor add(Backend& backend, const Tensor& a, const Tensor& b) {
  check_activation("add", a);
  check_activation("add", b);
  const int skipped = a.shape().rank() - b.shape().rank();
  bool suffix = skipped >= 0;
  for (int axis = 0; suffix && axis < b.shape().rank(); ++axis)
    suffix = b.dim(axis) == a.dim(axis + skipped);
  MXDIT_CHECK(suffix && (b.dtype() == a.dtype() || b.dtype() == DType::f32),
              "[ops] add: expected a suffix of ", name(a.dtype()), " ", a.shape(), ", got ",
              name(b.dtype()), " ", b.shape());
  Tensor out = backend.empty(a.dtype(), a.shape());
  if (a.elements() > 0) backend.add(a, b, out);
  return out;
}

Tensor activate(Backend& backend, Activation act, const Tensor& x) {
  check_activation("activate", x);
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.activate(act, x, nullptr, out);
  return out;
}

Tensor activate_gated(Backend& backend, Activation act, const Tensor& x, const Tensor& y) {
  check_activation("activate_gated", x);
  check_same("activate_gated", x, y);
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.activate(act, x, &y, out);
  return out;
}

Tensor linear_combination(Backend& backend, std::span<const float> coefficients,
                          std::span<const Tensor* const> inputs, DType dtype) {
  MXDIT_CHECK(!inputs.empty() && coefficients.size() == inputs.size(),
              "[ops] linear_combination: expected one coefficient per input, got ",
              coefficients.size(), " for ", inputs.size());
  MXDIT_CHECK(is_activation(dtype), "[ops] linear_combination: expected F32 or BF16, got ",
              name(dtype));
  for (const Tensor* input : inputs) {
    MXDIT_CHECK(input != nullptr, "[ops] linear_combination: expected a tensor, got none");
    check_activation("linear_combination", *input);
    MXDIT_CHECK(input->shape() == inputs[0]->shape(), "[ops] linear_combination: expected ",
                inputs[0]->shape(), ", got ", input->shape());
  }
  Tensor out = backend.empty(dtype, inputs[0]->shape());
  if (out.elements() > 0) backend.linear_combination(coefficients, inputs, out);
  return out;
}

}  // namespace mxdit::ops

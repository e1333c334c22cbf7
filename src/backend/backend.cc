// Operators that a device may run as one, out of those that they consist of.
#include "backend/backend.h"

namespace mxdit {

void Backend::rms_norm_rope(const Tensor& x, const Tensor& gain, float eps, const Tensor& cos,
                            const Tensor& sin, Tensor& out) {
  Tensor normed = empty(x.dtype(), x.shape());
  rms_norm(x, gain, eps, normed);
  rope(normed.reshape(out.shape()), cos, sin, out);
}

void Backend::norm_sum(const NormedSum& rows, Tensor& out) {
  const Tensor* x = rows.x;
  if (rows.y != nullptr) {
    if (rows.gate == nullptr)
      add(*rows.x, *rows.y, *rows.sum);
    else
      gate_add(*rows.x, *rows.y, *rows.gate, *rows.sum);
    x = rows.sum;
  }
  if (rows.modulates)
    norm_modulate(*x, *rows.bias, *rows.gain, rows.eps, out);
  else
    layer_norm(*x, rows.gain, rows.bias, rows.eps, out);
}

void Backend::quantize_normed(const NormedSum& rows, const QuantizeOptions& options,
                              QuantizedMatrix& out) {
  Tensor normed = empty(rows.x->dtype(), rows.x->shape());
  norm_sum(rows, normed);
  quantize(normed.reshape({out.rows, out.columns}), options, out);
}

}  // namespace mxdit

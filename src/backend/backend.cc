// Operators that a device may run as one, out of those that they consist of.
#include "backend/backend.h"

namespace mxdit {

void Backend::rms_norm_rope(const Tensor& x, const Tensor& gain, float eps, const Tensor& cos,
                            const Tensor& sin, Tensor& out) {
  Tensor normed = empty(x.dtype(), x.shape());
  rms_norm(x, gain, eps, normed);
  rope(normed.reshape(out.shape()), cos, sin, out);
}

}  // namespace mxdit

#include "layers/norms.h"

#include "layers/parameters.h"
#include "ops/ops.h"

namespace mxdit {

RmsNorm::RmsNorm(const ModelSource& source, const std::string& scope, int64_t width, float eps)
    : backend_(*source.backend),
      gain_(load_parameter(source, scope + ".weight", {width})),
      eps_(eps) {}

Tensor RmsNorm::operator()(const Tensor& x) const {
  return ops::rms_norm(backend_, x, gain_, eps_);
}

Tensor RmsNorm::rotated(const Tensor& x, const Tensor& cos, const Tensor& sin) const {
  return ops::rms_norm_rope(backend_, x, gain_, eps_, cos, sin);
}

LayerNorm::LayerNorm(const ModelSource& source, const std::string& scope, int64_t width, float eps)
    : backend_(*source.backend),
      gain_(load_parameter(source, scope + ".weight", {width})),
      bias_(load_parameter(source, scope + ".bias", {width})),
      eps_(eps) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return ops::layer_norm(backend_, x, &gain_, &bias_, eps_);
}

}  // namespace mxdit

#include "layers/linear.h"

#include "core/error.h"
#include "layers/parameters.h"
#include "layers/tensor_use.h"

namespace mxdit {

Tensor flatten_rows(const Tensor& x) {
  const int64_t width = x.dim(-1);
  return x.reshape({width > 0 ? x.elements() / width : 0, width});
}

Tensor unflatten_rows(const Tensor& y, const Shape& like) {
  std::vector<int64_t> dims = like.dims();
  dims.back() = y.dim(-1);
  return y.reshape(Shape(std::move(dims)));
}

Linear::Linear(const ModelSource& source, const std::string& scope, int64_t out_features,
               int64_t in_features, Bias bias)
    : scope_(scope) {
  const LinearPlan plan = source.quantization->plan(scope, out_features, in_features);
  MXDIT_CHECK(plan.method != nullptr, "[layers] linear ", scope, ": expected a method, got none");
  prepared_ =
      plan.method->prepare(*source.backend, {source.weights, scope}, out_features, in_features);
  if (source.use != nullptr) source.use->add_layer(scope);
  if (prepared_->replaces_bias()) return;
  const std::string name = scope + ".bias";
  if (bias == Bias::required || (bias == Bias::optional && source.weights->contains(name)))
    bias_ = load_parameter(source, name, {out_features});
}

Tensor Linear::operator()(const Tensor& x, Activation act) const {
  MXDIT_CHECK(x.shape().rank() >= 1 && x.dim(-1) == in_features(), "[layers] linear ", scope_,
              ": expected [..., ", in_features(), "], got ", x.shape());
  return unflatten_rows(apply(*encode(flatten_rows(x)), act), x.shape());
}

Tensor Linear::apply(const EncodedActivation& x, Activation act) const {
  return prepared_->apply(x, bias_.defined() ? &bias_ : nullptr, act);
}

std::unique_ptr<EncodedActivation> Linear::apply_for(const Linear& next, const EncodedActivation& x,
                                                     Activation act) const {
  return prepared_->apply_for(*next.prepared_, x, bias_.defined() ? &bias_ : nullptr, act);
}

}  // namespace mxdit

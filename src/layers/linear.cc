#include "layers/linear.h"

#include <string_view>

#include "core/error.h"
#include "layers/parameters.h"
#include "layers/tensor_use.h"

namespace mxdit {

Tensor unflatten_rows(const Tensor& y, const Shape& like) {
  std::vector<int64_t> dims = like.dims();
  dims.back() = y.dim(-1);
  return y.reshape(Shape(std::move(dims)));
}

namespace {

// A back end that fails does not know whose weight or product it was given: says so behind its
// message, unless that names the layer already.
template <typename Work>
auto naming_layer(const std::string& what, const std::string& scope, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    if (!message.starts_with("[backend]") && !message.starts_with("[quantization] product")) throw;
    if (message.find(scope) != std::string_view::npos) throw;
    fail(error.kind(), message, " (", what, ")");
  }
}

}  // namespace

Linear::Linear(const ModelSource& source, const std::string& scope, int64_t out_features,
               int64_t in_features, Bias bias)
    : scope_(scope) {
  const std::string bias_name = scope + ".bias";
  const bool has_bias = bias == Bias::required ||
                        (bias == Bias::optional && source.weights->contains(bias_name));
  const LinearPlan plan = source.quantization->plan(scope, out_features, in_features);
  MXDIT_CHECK(plan.method != nullptr, "[layers] linear ", scope, ": expected a method, got none");
  prepared_ = naming_layer("layer " + scope + " of " + source.weights->path().string(), scope, [&] {
    return plan.method->prepare(*source.backend, {source.weights, scope, has_bias}, out_features,
                                in_features);
  });
  if (source.use != nullptr) source.use->add_layer(scope);
  if (prepared_->replaces_bias()) return;
  if (has_bias) bias_ = load_parameter(source, bias_name, {out_features});
}

Tensor Linear::operator()(const LinearInput& x, Activation act) const {
  MXDIT_CHECK(x.shape().rank() >= 1 && x.shape()[-1] == in_features(), "[layers] linear ", scope_,
              ": expected [..., ", in_features(), "], got ", x.shape());
  return unflatten_rows(apply(*encode(x), act), x.shape());
}

Tensor Linear::apply(const EncodedActivation& x, Activation act) const {
  return naming_layer("layer " + scope_, scope_, [&] {
    return prepared_->apply(x, bias_.defined() ? &bias_ : nullptr, act);
  });
}

std::unique_ptr<EncodedActivation> Linear::apply_for(const Linear& next, const EncodedActivation& x,
                                                     Activation act) const {
  return prepared_->apply_for(*next.prepared_, x, bias_.defined() ? &bias_ : nullptr, act);
}

}  // namespace mxdit

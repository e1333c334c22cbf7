#include "quantization/online_method.h"

#include "core/error.h"
#include "ops/ops.h"
#include "quantization/methods/unquantized/method.h"
#include "quantization/stored_tensor.h"

namespace mxdit {
namespace {

class OnlineMethod final : public LinearMethod {
 public:
  explicit OnlineMethod(OnlineRecipe recipe) : recipe_(std::move(recipe)) {}
  std::string name() const override { return recipe_.key; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    refuse_quantized_parts(source, "--quantization " + recipe_.key);
    const Tensor weight = plain_weight(source, out_features, in_features);
    check_finite(source, "weight", weight);
    const QuantizedMatrix quantized =
        ops::quantize(backend, backend.from_host(weight), *recipe_.weight);
    ActivationRecipe activation;
    activation.format = recipe_.activation;
    activation.round = recipe_.activation_round;
    return make_quantized_layer(backend, quantized, std::move(activation));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const Tensor weight =
        source.weights->get(source.layer + ".weight", {out_features, in_features});
    LinearInfo info;
    info.type = recipe_.weight->name;
    info.kernel = backend.quantized_kernel(*recipe_.activation, *recipe_.weight, out_features,
                                           in_features);
    info.resident_bytes = recipe_.weight->bytes(out_features, in_features);
    info.working_bytes = weight.bytes();
    return info;
  }

 private:
  OnlineRecipe recipe_;
};

class OnlineConfig final : public QuantConfig {
 public:
  OnlineConfig(std::shared_ptr<const LinearMethod> method, const ConfigArguments& arguments,
               std::string (*refuses)(int64_t, int64_t))
      : method_(std::move(method)), ignored_(arguments.ignored_layers), refuses_(refuses) {}
  std::string name() const override { return method_->name(); }

  LinearPlan plan(const std::string& layer, int64_t out_features,
                  int64_t in_features) const override {
    if (is_ignored(layer, ignored_)) return {plain_, "--quantization-ignored-layers names it"};
    const std::string reason = refuses_(out_features, in_features);
    if (!reason.empty()) return {plain_, name() + ": " + reason};
    return {method_, "--quantization " + name()};
  }

 private:
  std::shared_ptr<const LinearMethod> method_;
  std::shared_ptr<const LinearMethod> plain_ = unquantized::make_method();
  std::vector<std::string> ignored_;
  std::string (*refuses_)(int64_t, int64_t);
};

}  // namespace

std::shared_ptr<const LinearMethod> make_online_method(const OnlineRecipe& recipe,
                                                       const ConfigArguments& /*arguments*/) {
  return std::make_shared<OnlineMethod>(recipe);
}

std::unique_ptr<QuantConfig> make_online_config(std::shared_ptr<const LinearMethod> method,
                                                const ConfigArguments& arguments,
                                                std::string (*refuses)(int64_t, int64_t)) {
  return std::make_unique<OnlineConfig>(std::move(method), arguments, refuses);
}

bool is_ignored(const std::string& layer, const std::vector<std::string>& ignored) {
  const std::string path = "." + layer + ".";
  for (const std::string& name : ignored)
    if (!name.empty() && path.find("." + name + ".") != std::string::npos) return true;
  return false;
}

}  // namespace mxdit

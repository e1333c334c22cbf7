#include "quantization/online_method.h"

#include "core/error.h"
#include "ops/ops.h"
#include "quantization/plain_method.h"
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
    checked_type(source, out_features, in_features);
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
    const DType dtype = checked_type(source, out_features, in_features);
    const auto elements = static_cast<uint64_t>(out_features * in_features);
    const bool is_half = dtype == DType::bf16 || dtype == DType::f16;
    LinearInfo info;
    info.type = recipe_.weight->name;
    info.kernel = backend.quantized_kernel(*recipe_.activation, *recipe_.weight, out_features,
                                           in_features);
    info.resident_bytes = recipe_.weight->bytes(out_features, in_features);
    info.working_bytes = elements * (element_size(dtype) + (is_half ? 0 : 2));
    return info;
  }

 private:
  DType checked_type(const LinearSource& source, int64_t out_features, int64_t in_features) const {
    refuse_quantized_parts(source, "--quantization " + recipe_.key);
    return plain_weight_type(source, out_features, in_features);
  }

  OnlineRecipe recipe_;
};

class OnlineConfig final : public QuantConfig {
 public:
  OnlineConfig(std::shared_ptr<const LinearMethod> method, const ConfigArguments& arguments,
               std::string (*refuses)(int64_t, int64_t))
      : method_(std::move(method)),
        plain_(make_plain_method("--quantization " + method_->name() + " reads plain weights")),
        ignored_(arguments.ignored_layers),
        refuses_(refuses) {}
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
  std::shared_ptr<const LinearMethod> plain_;
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

std::unique_ptr<QuantConfig> make_online_config(const OnlineRecipe& recipe,
                                                const ConfigArguments& arguments,
                                                std::string (*refuses)(int64_t, int64_t)) {
  if (arguments.declaration != nullptr)
    fail(ErrorKind::bad_input, "[quantization] ", arguments.declared_in,
         ": expected a quant_method of stored weights, got ", recipe.key,
         ", which quantizes at load");
  return make_online_config(make_online_method(recipe, arguments), arguments, refuses);
}

std::string takes_all(int64_t /*out_features*/, int64_t /*in_features*/) {
  return "";
}

std::string refuses_odd_inputs(int64_t /*out_features*/, int64_t in_features) {
  if (in_features % 2 == 0) return "";
  return "two 4-bit elements share a byte, and the layer has an odd number of inputs";
}

}  // namespace mxdit

#include "quantization/online_method.h"

#include "core/error.h"
#include "ops/ops.h"
#include "quantization/plain_method.h"
#include "quantization/stored_tensor.h"
#include "quantization/weight_cache.h"

namespace mxdit {
namespace {

template <typename Convert>
QuantizedMatrix with_parts(QuantizedMatrix matrix, Convert&& convert) {
  for (Tensor* part : {&matrix.elements, &matrix.block_scale, &matrix.scale})
    if (part->defined()) *part = convert(*part);
  return matrix;
}

class OnlineMethod final : public LinearMethod {
 public:
  OnlineMethod(OnlineRecipe recipe, const std::string& cache_folder) : recipe_(std::move(recipe)) {
    if (!cache_folder.empty()) cache_ = std::make_unique<WeightCache>(cache_folder);
  }
  std::string name() const override { return recipe_.key; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    checked_type(source, out_features, in_features);
    const QuantizedMatrix weight = cache_ == nullptr
                                       ? encoded(backend, source, out_features, in_features)
                                       : cached(backend, source, out_features, in_features);
    source.weights->release(source.layer + ".weight");
    ActivationRecipe activation;
    activation.format = recipe_.activation;
    activation.round = recipe_.activation_round;
    return make_quantized_layer(backend, weight, std::move(activation));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const DType dtype = checked_type(source, out_features, in_features);
    const auto elements = static_cast<uint64_t>(out_features * in_features);
    const bool is_half = dtype == DType::bf16 || dtype == DType::f16;
    LinearInfo info;
    info.type = recipe_.weight->name;
    info.kernel =
        backend.quantized_kernel(*recipe_.activation, *recipe_.weight, out_features, in_features);
    const uint64_t bytes = recipe_.weight->bytes(out_features, in_features);
    // The plain weight, its copy in bf16, and with a cache what is being written.
    info.working_bytes = elements * (element_size(dtype) + (is_half ? 0 : 2));
    if (cache_ == nullptr) {
      info.resident_bytes = bytes;
    } else {
      info.mapped_bytes = bytes;
      info.working_bytes += 2 * bytes;
    }
    return info;
  }

 private:
  DType checked_type(const LinearSource& source, int64_t out_features, int64_t in_features) const {
    refuse_quantized_parts(source, "--quantization " + recipe_.key);
    return plain_weight_type(source, out_features, in_features);
  }

  // On the device; the plain weight is not needed any more.
  QuantizedMatrix encoded(Backend& backend, const LinearSource& source, int64_t out_features,
                          int64_t in_features) const {
    const Tensor weight = plain_weight(source, out_features, in_features);
    check_finite(source, "weight", weight);
    QuantizedMatrix matrix = ops::quantize(backend, backend.from_host(weight), *recipe_.weight);
    backend.synchronize();
    return matrix;
  }

  QuantizedMatrix cached(Backend& backend, const LinearSource& source, int64_t out_features,
                         int64_t in_features) const {
    const auto encode = [&] {
      return with_parts(encoded(backend, source, out_features, in_features),
                        [&](const Tensor& part) { return backend.to_host(part); });
    };
    return with_parts(
        cache_->get(*source.weights, source.layer + ".weight", *recipe_.weight, encode),
        [&](const Tensor& part) { return backend.from_host(part); });
  }

  OnlineRecipe recipe_;
  std::unique_ptr<const WeightCache> cache_;  // may be null
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
                                                       const ConfigArguments& arguments) {
  return std::make_shared<OnlineMethod>(recipe, arguments.cache_folder);
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

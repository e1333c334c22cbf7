#include "backend/registry.h"
#include "bench/measured_case.h"
#include "bench/operations.h"
#include "bench/random_component.h"
#include "core/error.h"
#include "ops/ops.h"
#include "quantization/configs/plain/config.h"
#include "quantization/registry.h"

namespace mxdit {
namespace bench {
namespace {

constexpr const char* kLayer = "layer";

std::unique_ptr<QuantConfig> make_config(const std::string& key, const WeightStore& weights) {
  if (key.empty()) return plain_config();
  const QuantizationKey& entry = find_quantization_key(key, "--quantization");
  if (!entry.online)
    fail(ErrorKind::unsupported,
         "[bench] --quantization: expected a method that quantizes at load "
         "(mxdit bench --help lists them), got ",
         key);
  ConfigArguments arguments;
  arguments.weights = &weights;
  return entry.make(arguments);
}

// The product as a layer of a model runs it.
class Linear final : public MeasuredCase {
 public:
  Linear(const LinearCase& subject, const BenchOptions& options, const CancelToken* cancel)
      : MeasuredCase("linear", options),
        weights_(make_weights(subject, cancel)),
        x_(random_tensor(backend(), compute(), {subject.tokens, subject.in_features}, 1)),
        bias_(random_tensor(backend(), DType::f32, {subject.out_features}, 2)) {
    const int64_t out = subject.out_features, in = subject.in_features;
    const auto config = make_config(quantization_key(), weights_);
    const auto method = config->plan(kLayer, out, in).method;
    const LinearSource source{&weights_, kLayer};
    own_facts().kernel = method->describe(backend(), source, out, in).kernel.kernel;
    layer_ = method->prepare(backend(), source, out, in);
    parameter("tokens", subject.tokens);
    parameter("in", in);
    parameter("out", out);
    own_facts().operations = linear_operations(subject.tokens, in, out);
  }

 protected:
  BenchSample measure(const CancelToken*) override {
    std::unique_ptr<EncodedActivation> encoded;
    const double quantize = timed(backend(), [&] { encoded = layer_->encode(x_); });
    Tensor result;  // outlives the clock: giving it back is not part of the product
    const double product =
        timed(backend(), [&] { result = layer_->apply(*encoded, &bias_, Activation::none); });
    if (quantization_key().empty()) return {quantize + product, {}};
    return {quantize + product, {{"quantize", quantize}, {"product", product}}};
  }

 private:
  static WeightStore make_weights(const LinearCase& subject, const CancelToken* cancel) {
    check_size("--tokens", subject.tokens, 1, int64_t{1} << 20);
    check_size("--in", subject.in_features, 1, int64_t{1} << 17);
    check_size("--out", subject.out_features, 1, int64_t{1} << 17);
    const Shape shape{subject.out_features, subject.in_features};
    return random_weights({{std::string(kLayer) + ".weight", shape, 0.0f, 0.02f}}, cancel);
  }

  WeightStore weights_;
  Tensor x_, bias_;
  std::unique_ptr<PreparedLinear> layer_;
};

}  // namespace
}  // namespace bench

std::vector<LinearCase> wan_linear_cases(int64_t tokens) {
  std::vector<LinearCase> cases;
  for (const auto& [dim, ffn] :
       {std::pair<int64_t, int64_t>{1536, 8960}, {3072, 14336}, {5120, 13824}})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{dim, dim}, {dim, ffn}, {ffn, dim}})
      cases.push_back({tokens, in, out});
  return cases;
}

std::unique_ptr<Benchmark> make_benchmark(const LinearCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel) {
  return std::make_unique<bench::Linear>(subject, options, cancel);
}

}  // namespace mxdit

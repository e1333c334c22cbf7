#include <cmath>

#include "bench/measured_case.h"
#include "bench/operations.h"
#include "core/error.h"
#include "engine/checkpoint_options.h"
#include "ops/ops.h"

namespace mxdit {
namespace bench {
namespace {

class Attention final : public MeasuredCase {
 public:
  Attention(const AttentionCase& subject, const BenchOptions& options)
      : MeasuredCase("attention", options) {
    const int64_t tokens = subject.tokens, heads = subject.heads, size = subject.head_dim;
    const int64_t keys = subject.keys == 0 ? tokens : subject.keys;
    check_size("--tokens", tokens, 1, int64_t{1} << 18);
    check_size("--keys", keys, 1, int64_t{1} << 18);
    check_size("--heads", heads, 1, 1024);
    check_size("--head-dim", size, 1, 1024);
    if (!quantization_key().empty())
      fail(ErrorKind::usage, "[bench] --quantization: expected none for attention, got ",
           quantization_key());
    q_ = random_tensor(backend(), compute(), {1, tokens, heads, size}, 1);
    k_ = random_tensor(backend(), compute(), {1, keys, heads, size}, 2);
    v_ = random_tensor(backend(), compute(), {1, keys, heads, size}, 3);
    params_.precision = parse_attention_precision(options.attention_precision);
    parameter("attention_precision", options.attention_precision);
    params_.scale = 1.0f / std::sqrt(static_cast<float>(size));
    parameter("tokens", tokens);
    parameter("keys", keys);
    parameter("heads", heads);
    parameter("head_dim", size);
    own_facts().kernel = backend().attention_kernel(compute(), false, params_.precision).kernel;
    own_facts().operations = attention_operations(tokens, keys, heads * size);
  }

 protected:
  BenchSample measure(const CancelToken*) override {
    Tensor result;
    return {timed(backend(), [&] { result = ops::attention(backend(), q_, k_, v_, params_); }), {}};
  }

 private:
  Tensor q_, k_, v_;
  AttentionParams params_;
};

}  // namespace
}  // namespace bench

std::unique_ptr<Benchmark> make_benchmark(const AttentionCase& subject, const BenchOptions& options,
                                          const CancelToken*) {
  return std::make_unique<bench::Attention>(subject, options);
}

}  // namespace mxdit

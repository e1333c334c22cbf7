#include "models/umt5/encoder.h"

#include <cstring>

#include "core/error.h"
#include "layers/parameters.h"
#include "layers/tensor_use.h"
#include "models/layer_count.h"
#include "ops/ops.h"

namespace mxdit::umt5 {

namespace {

// transformers saves the table once, under either name, or twice.
constexpr const char* kEmbeddingNames[] = {"shared.weight", "encoder.embed_tokens.weight"};

Tensor load_embedding(const ModelSource& source, const Config& config) {
  const bool shared = source.weights->contains(kEmbeddingNames[0]);
  return load_stored(source, kEmbeddingNames[shared ? 0 : 1], {config.vocab_size, config.d_model});
}

Tensor add_residual(Backend& backend, const Tensor& x, const Tensor& y) {
  const std::array<float, 2> ones = {1.0f, 1.0f};
  const std::array<const Tensor*, 2> terms = {&x, &y};
  return ops::linear_combination(backend, ones, terms, DType::f32);
}

Prompts layout(std::span<const int64_t> lengths) {
  Prompts prompts{{0}};
  for (const int64_t length : lengths) prompts.begin.push_back(prompts.begin.back() + length);
  return prompts;
}

}  // namespace

EncoderLayer::EncoderLayer(const ModelSource& source, const std::string& scope,
                           const Config& config)
    : backend_(*source.backend),
      compute_(source.compute),
      heads_(config.num_heads),
      head_size_(config.d_kv),
      attention_norm_(source, scope + ".layer.0.layer_norm", config.d_model, config.eps),
      qkv_(source,
           {scope + ".layer.0.SelfAttention.q", scope + ".layer.0.SelfAttention.k",
            scope + ".layer.0.SelfAttention.v"},
           config.inner(), config.d_model, Bias::none),
      out_(source, scope + ".layer.0.SelfAttention.o", config.d_model, config.inner(), Bias::none),
      bias_(source, scope + ".layer.0.SelfAttention.relative_attention_bias", config),
      feed_forward_norm_(source, scope + ".layer.1.layer_norm", config.d_model, config.eps),
      gate_and_up_(source,
                   {scope + ".layer.1.DenseReluDense.wi_0", scope + ".layer.1.DenseReluDense.wi_1"},
                   config.d_ff, config.d_model, Bias::none),
      down_(source, scope + ".layer.1.DenseReluDense.wo", config.d_model, config.d_ff, Bias::none) {
}

// Logits are not scaled: T5 folds the factor into its weights.
Tensor EncoderLayer::attend(const Tensor& x, const Prompts& prompts) const {
  const std::vector<Tensor> qkv = qkv_(x);
  std::vector<Tensor> results;
  for (int64_t i = 0; i < prompts.count(); ++i) {
    const int64_t length = prompts.length(i);
    if (length == 0) continue;
    const int64_t begin = prompts.begin[static_cast<size_t>(i)];
    const auto heads = [&](const Tensor& t) {
      return t.slice(begin, begin + length).reshape({1, length, heads_, head_size_});
    };
    const Tensor bias = bias_(length);
    const Tensor out =
        ops::attention(backend_, heads(qkv[0]), heads(qkv[1]), heads(qkv[2]), {1.0f, &bias, {}});
    results.push_back(out.reshape({length, heads_ * head_size_}));
  }
  return out_(results.size() == 1 ? results[0] : ops::concat(backend_, results, 0));
}

Tensor EncoderLayer::feed_forward(const Tensor& x) const {
  const std::vector<Tensor> parts = gate_and_up_(x);
  return down_(ops::activate_gated(backend_, Activation::gelu_tanh, parts[0], parts[1]));
}

Tensor EncoderLayer::operator()(const Tensor& x, const Prompts& prompts) const {
  const Tensor attended =
      add_residual(backend_, x, attend(ops::cast(backend_, attention_norm_(x), compute_), prompts));
  return add_residual(backend_, attended,
                      feed_forward(ops::cast(backend_, feed_forward_norm_(attended), compute_)));
}

Encoder::Encoder(const ModelSource& given)
    : backend_(*given.backend),
      compute_(given.compute),
      config_(parse_config(*given.config, given.config_file)) {
  TensorUse use;
  ModelSource source = given;
  source.use = &use;
  check_layer_count(source, "num_layers", "encoder.block", config_.num_layers);
  embedding_ = load_embedding(source, config_);
  for (int64_t i = 0; i < config_.num_layers; ++i)
    layers_.emplace_back(source, "encoder.block." + std::to_string(i), config_);
  final_norm_ =
      std::make_unique<RmsNorm>(source, "encoder.final_layer_norm", config_.d_model, config_.eps);
  unused_ = use.unused(*source.weights,
                       std::array<std::string_view, 2>{kEmbeddingNames[0], kEmbeddingNames[1]});
}

Encoder::~Encoder() = default;

void Encoder::check_ids(const Tensor& ids, std::span<const int64_t> lengths) const {
  MXDIT_CHECK(ids.defined() && ids.dtype() == DType::i32 && ids.shape().rank() == 2 &&
                  ids.dim(0) == static_cast<int64_t>(lengths.size()),
              "[models] umt5 encode: expected ids I32 [", lengths.size(), ", S], got ",
              ids.shape());
  const int32_t* row = ids.as<int32_t>();
  for (const int64_t length : lengths) {
    MXDIT_CHECK(length >= 0 && length <= ids.dim(1), "[models] umt5 encode: expected lengths up ",
                "to ", ids.dim(1), ", got ", length);
    for (int64_t i = 0; i < length; ++i)
      if (row[i] < 0 || row[i] >= config_.vocab_size)
        fail(ErrorKind::bad_input, "[models] umt5 token: expected an id below ", config_.vocab_size,
             " (vocab_size), got ", row[i], ": the tokenizer belongs to another model");
    row += ids.dim(1);
  }
}

Tensor Encoder::embed(const Tensor& ids, const Prompts& prompts) const {
  Tensor packed = Tensor::host(DType::i32, {prompts.begin.back()});
  for (int64_t i = 0; i < prompts.count(); ++i)
    std::memcpy(packed.as_mutable<int32_t>() + prompts.begin[static_cast<size_t>(i)],
                ids.as<int32_t>() + i * ids.dim(1),
                static_cast<size_t>(prompts.length(i)) * sizeof(int32_t));
  return ops::gather_rows(backend_, embedding_, backend_.from_host(packed), DType::f32);
}

// Rows of each prompt at its place in [B, length, d_model], zeros behind them.
Tensor Encoder::scatter(const Tensor& rows, const Prompts& prompts, int64_t length) const {
  Tensor zeros = Tensor::host(rows.dtype(), {prompts.count(), length, config_.d_model});
  std::memset(zeros.mutable_data(), 0, zeros.bytes());
  Tensor out = backend_.from_host(zeros);
  for (int64_t i = 0; i < prompts.count(); ++i) {
    const int64_t begin = prompts.begin[static_cast<size_t>(i)], count = prompts.length(i);
    const Tensor block = rows.slice(begin, begin + count).reshape({1, count, config_.d_model});
    ops::write_block(backend_, block, std::array<int64_t, 3>{i, 0, 0}, out);
  }
  return out;
}

// transformers computes padded rows too, but masks them as keys: no real token ever sees one, and
// the pipeline zeroes their own results. So leaving them out changes nothing, and a prompt costs
// what its tokens cost instead of the 512 positions it is padded to.
Tensor Encoder::encode(const Tensor& ids, std::span<const int64_t> lengths,
                       const CancelToken* cancel) const {
  check_ids(ids, lengths);
  const Prompts prompts = layout(lengths);
  Tensor x = embed(ids, prompts);
  if (prompts.begin.back() > 0) {
    for (const EncoderLayer& layer : layers_) {
      check_cancelled(cancel);
      x = layer(x, prompts);
    }
  }
  x = ops::cast(backend_, (*final_norm_)(x), compute_);
  return scatter(x, prompts, ids.dim(1));
}

}  // namespace mxdit::umt5

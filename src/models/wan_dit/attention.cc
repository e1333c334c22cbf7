#include "models/wan_dit/attention.h"

#include <cmath>

#include "ops/ops.h"

namespace mxdit::wan_dit {

namespace {

float logit_scale(int64_t head_size) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_size)));
}

}  // namespace

SelfAttention::SelfAttention(const ModelSource& source, const std::string& scope,
                             const Config& config)
    : backend_(*source.backend),
      heads_(config.num_attention_heads),
      head_size_(config.attention_head_dim),
      precision_(source.attention),
      qkv_(source, {scope + ".to_q", scope + ".to_k", scope + ".to_v"}, config.inner(),
           config.inner(), Bias::required),
      norm_q_(source, scope + ".norm_q", config.inner(), config.eps),
      norm_k_(source, scope + ".norm_k", config.inner(), config.eps),
      out_(source, scope + ".to_out.0", config.inner(), config.inner(), Bias::required) {}

Tensor SelfAttention::operator()(const LinearInput& x, const Tensor& cos, const Tensor& sin) const {
  const Shape heads = {x.shape()[0], x.shape()[1], heads_, head_size_};
  std::vector<Tensor> qkv = qkv_(x);
  const Tensor q = norm_q_.rotated(qkv[0], cos, sin);
  qkv[0] = Tensor();  // back to the pool before the large ones that follow
  const Tensor k = norm_k_.rotated(qkv[1], cos, sin);
  qkv[1] = Tensor();
  const Tensor result = ops::attention(backend_, q, k, qkv[2].reshape(heads),
                                       {logit_scale(head_size_), nullptr, {}, precision_});
  return out_(result.reshape(x.shape()));
}

CrossAttention::CrossAttention(const ModelSource& source, const std::string& scope,
                               const Config& config)
    : backend_(*source.backend),
      heads_(config.num_attention_heads),
      head_size_(config.attention_head_dim),
      q_(source, scope + ".to_q", config.inner(), config.inner(), Bias::required),
      kv_(source, {scope + ".to_k", scope + ".to_v"}, config.inner(), config.inner(),
          Bias::required),
      norm_q_(source, scope + ".norm_q", config.inner(), config.eps),
      norm_k_(source, scope + ".norm_k", config.inner(), config.eps),
      out_(source, scope + ".to_out.0", config.inner(), config.inner(), Bias::required) {
  if (config.added_kv_proj_dim)
    added_.emplace(Added{LinearGroup(source, {scope + ".add_k_proj", scope + ".add_v_proj"},
                                     config.inner(), *config.added_kv_proj_dim, Bias::required),
                         RmsNorm(source, scope + ".norm_added_k", config.inner(), config.eps)});
}

Tensor CrossAttention::split_heads(const Tensor& x) const {
  return x.reshape({x.dim(0), x.dim(1), heads_, head_size_});
}

ContextKeys CrossAttention::keys(const Tensor& text, const Tensor& image) const {
  const std::vector<Tensor> kv = kv_(text);
  ContextKeys keys{split_heads(norm_k_(kv[0])), split_heads(kv[1]), {}, {}};
  if (added_ && image.defined()) {
    const std::vector<Tensor> image_kv = added_->kv(image);
    keys.image_k = split_heads(added_->norm_k(image_kv[0]));
    keys.image_v = split_heads(image_kv[1]);
  }
  return keys;
}

std::string CrossAttention::keys_encoding() const {
  return kv_.encoding_keys() + (added_ ? " " + added_->kv.encoding_keys() : "");
}

Tensor CrossAttention::operator()(const LinearInput& x, const ContextKeys& keys) const {
  const AttentionParams params{logit_scale(head_size_), nullptr, {}};
  const Tensor q = split_heads(norm_q_(q_(x)));
  Tensor result = ops::attention(backend_, q, keys.k, keys.v, params);
  if (keys.image_k.defined())
    result =
        ops::add(backend_, result, ops::attention(backend_, q, keys.image_k, keys.image_v, params));
  return out_(result.reshape(x.shape()));
}

}  // namespace mxdit::wan_dit

#include "models/wan_dit/block.h"

#include "layers/parameters.h"
#include "ops/ops.h"

namespace mxdit::wan_dit {

namespace {

// Order of the six parts in scale_shift_table and time_proj.
enum Part { kShift, kScale, kGate, kFeedForwardShift, kFeedForwardScale, kFeedForwardGate };

}  // namespace

Block::Block(const ModelSource& source, const std::string& scope, const Config& config)
    : backend_(*source.backend),
      eps_(config.eps),
      modulation_(load_parameter(source, scope + ".scale_shift_table", {1, 6, config.inner()})
                      .reshape({6, config.inner()})),
      self_(source, scope + ".attn1", config),
      cross_(source, scope + ".attn2", config),
      feed_forward_(source, scope + ".ffn.net.0.proj", scope + ".ffn.net.2",
                    {config.inner(), config.ffn_dim, config.inner()}, Activation::gelu_tanh) {
  if (config.cross_attn_norm)
    cross_norm_.emplace(source, scope + ".norm2", config.inner(), config.eps);
}

Tensor Block::operator()(Tensor x, const Conditioning& conditioning, const ContextKeys& keys,
                         const Tensor& cos, const Tensor& sin) const {
  const auto part = [&](Part i) { return conditioning.modulation(backend_, modulation_, i); };
  Tensor normed = ops::norm_modulate(backend_, x, part(kShift), part(kScale), eps_);
  x = ops::gate_add(backend_, x, self_(normed, cos, sin), part(kGate));
  normed = cross_norm_ ? (*cross_norm_)(x) : x;
  x = ops::add(backend_, x, cross_(normed, keys));
  normed = ops::norm_modulate(backend_, x, part(kFeedForwardShift), part(kFeedForwardScale), eps_);
  return ops::gate_add(backend_, x, feed_forward_(normed), part(kFeedForwardGate));
}

}  // namespace mxdit::wan_dit

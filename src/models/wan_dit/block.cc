#include "models/wan_dit/block.h"

#include "layers/parameters.h"
#include "ops/residual.h"

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

void Block::operator()(Residual& x, const Conditioning& conditioning, const ContextKeys& keys,
                       const Tensor& cos, const Tensor& sin) const {
  const auto part = [&](Part i) { return conditioning.modulation(backend_, modulation_, i); };
  const auto modulated = [&](Part shift, Part scale) {
    return LinearInput(x, LayerNormParams::modulation(part(shift), part(scale), eps_));
  };
  x.add(self_(modulated(kShift, kScale), cos, sin), part(kGate));
  x.add(cross_(cross_norm_ ? (*cross_norm_)(x) : x.value(), keys));
  x.add(feed_forward_(modulated(kFeedForwardShift, kFeedForwardScale)), part(kFeedForwardGate));
}

}  // namespace mxdit::wan_dit

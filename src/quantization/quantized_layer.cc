#include "quantization/quantized_layer.h"

#include <bit>

#include "core/error.h"
#include "io/sha256.h"
#include "ops/ops.h"

namespace mxdit {
namespace {

struct QuantizedActivation final : EncodedActivation {
  QuantizedMatrix x;
  DType out_type = DType::f32;
  std::string key;
};

class QuantizedLayer final : public PreparedLinear {
 public:
  QuantizedLayer(Backend& backend, const QuantizedMatrix& weight, ActivationRecipe recipe,
                 Tensor replaced_bias)
      : backend_(backend),
        weight_(backend.prepare_quantized(weight)),
        recipe_(std::move(recipe)),
        key_(recipe_.key()),
        replaced_bias_(std::move(replaced_bias)) {
    if (recipe_.smooth_scale.defined())
      recipe_.smooth_scale = backend.from_host(recipe_.smooth_scale);
  }

  int64_t out_features() const noexcept override { return weight_->out_features(); }
  int64_t in_features() const noexcept override { return weight_->in_features(); }
  std::string encoding_key() const override { return key_; }

  std::unique_ptr<EncodedActivation> encode(const Tensor& x) const override {
    auto result = std::make_unique<QuantizedActivation>();
    QuantizeOptions options;
    options.round = recipe_.round;
    options.static_scale = recipe_.static_scale;
    options.static_offset = recipe_.static_offset;
    if (recipe_.smooth_scale.defined()) options.smooth_scale = &recipe_.smooth_scale;
    const Tensor half = x.dtype() == DType::f16 ? x : ops::cast(backend_, x, DType::bf16);
    result->x = ops::quantize(backend_, half, *recipe_.format, options);
    if (recipe_.scale_in_weight) result->x.scale = Tensor();
    result->out_type = x.dtype();
    result->key = key_;
    return result;
  }

  Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const override {
    const auto* encoded = dynamic_cast<const QuantizedActivation*>(&x);
    MXDIT_CHECK(encoded != nullptr && encoded->key == key_,
                "[quantization] quantized apply: expected an activation encoded as ", key_,
                ", got ", encoded == nullptr ? "one of another method" : encoded->key);
    if (replaced_bias_.defined()) bias = &replaced_bias_;
    return ops::quantized_linear(backend_, encoded->x, *weight_, bias, act, encoded->out_type);
  }

 private:
  Backend& backend_;
  std::shared_ptr<PreparedWeight> weight_;
  ActivationRecipe recipe_;
  std::string key_;
  Tensor replaced_bias_;
};

}  // namespace

std::string ActivationRecipe::key() const {
  std::string text(format->name);
  text += "/" + std::to_string(static_cast<int>(round));
  text += "/" + std::to_string(std::bit_cast<uint32_t>(static_scale));
  text += "/" + std::to_string(std::bit_cast<uint32_t>(static_offset));
  if (scale_in_weight) text += "/folded";
  if (smooth_scale.defined()) {
    Sha256 hash;
    hash.update(smooth_scale.data(), smooth_scale.bytes());
    text += "/" + hash.hex_digest();
  }
  return text;
}

std::unique_ptr<PreparedLinear> make_quantized_layer(Backend& backend, const QuantizedMatrix& weight,
                                                     ActivationRecipe recipe,
                                                     Tensor replaced_bias) {
  return std::make_unique<QuantizedLayer>(backend, weight, std::move(recipe),
                                          std::move(replaced_bias));
}

}  // namespace mxdit

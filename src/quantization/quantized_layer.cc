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

// The weight itself, once the device is known to multiply it with every kind of activation: not in
// the middle of a run.
const QuantizedMatrix& takeable(const Backend& backend, const QuantizedMatrix& weight,
                                const std::vector<ActivationRecipe>& recipes) {
  for (const ActivationRecipe& recipe : recipes) {
    const KernelChoice choice = backend.quantized_kernel(*recipe.format, *weight.format,
                                                         weight.rows, weight.columns);
    if (!choice.refusal.empty())
      fail(ErrorKind::unsupported, "[quantization] product of ", recipe.format->name,
           " activations with ", weight.format->name, " weights on ", backend.name(), ": ",
           choice.refusal);
  }
  return weight;
}

class QuantizedLayer final : public PreparedLinear {
 public:
  QuantizedLayer(Backend& backend, const QuantizedMatrix& weight,
                 std::vector<ActivationRecipe> recipes, std::function<size_t()> choose,
                 Tensor replaced_bias)
      : backend_(backend),
        weight_(backend.prepare_quantized(takeable(backend, weight, recipes))),
        choose_(std::move(choose)),
        replaced_bias_(std::move(replaced_bias)) {
    for (ActivationRecipe& recipe : recipes) {
      std::string key = recipe.key();
      if (recipe.smooth_scale.defined())
        recipe.smooth_scale = backend.from_host(recipe.smooth_scale);
      choices_.push_back({std::move(recipe), std::move(key)});
    }
    if (replaced_bias_.defined()) replaced_bias_ = backend.from_host(replaced_bias_);
  }

  int64_t out_features() const noexcept override { return weight_->out_features(); }
  int64_t in_features() const noexcept override { return weight_->in_features(); }
  bool replaces_bias() const noexcept override { return replaced_bias_.defined(); }
  std::string encoding_key() const override { return present().key; }

  std::unique_ptr<EncodedActivation> encode(const LinearInput& x) const override {
    const ActivationRecipe& recipe = present().recipe;
    return encoded(x.quantized(backend_, *recipe.format, options_of(recipe)), x.dtype());
  }

  Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const override {
    const QuantizedActivation& input = checked(x);
    return ops::quantized_linear(backend_, input.x, *weight_, bias_of(bias), act, input.out_type);
  }

  std::unique_ptr<EncodedActivation> apply_for(const PreparedLinear& next,
                                               const EncodedActivation& x, const Tensor* bias,
                                               Activation act) const override {
    const QuantizedActivation& input = checked(x);
    const auto* layer = dynamic_cast<const QuantizedLayer*>(&next);
    if (layer == nullptr || input.out_type != DType::bf16) return next.encode(apply(x, bias, act));
    const ActivationRecipe& recipe = layer->present().recipe;
    return layer->encoded(ops::quantized_linear_encoded(backend_, input.x, *weight_, bias_of(bias),
                                                        act, *recipe.format, options_of(recipe)),
                          input.out_type);
  }

 private:
  struct Choice {
    ActivationRecipe recipe;
    std::string key;
  };
  static QuantizeOptions options_of(const ActivationRecipe& recipe) {
    QuantizeOptions options;
    options.round = recipe.round;
    options.static_scale = recipe.static_scale;
    options.static_offset = recipe.static_offset;
    if (recipe.smooth_scale.defined()) options.smooth_scale = &recipe.smooth_scale;
    return options;
  }
  std::unique_ptr<EncodedActivation> encoded(QuantizedMatrix x, DType out_type) const {
    const Choice& choice = present();
    auto result = std::make_unique<QuantizedActivation>();
    result->x = std::move(x);
    if (choice.recipe.scale_in_weight) {
      result->x.scale = Tensor();
      result->x.packed.reset();
    }
    result->out_type = out_type;
    result->key = choice.key;
    return result;
  }
  const QuantizedActivation& checked(const EncodedActivation& x) const {
    const auto* encoded = dynamic_cast<const QuantizedActivation*>(&x);
    const std::string& key = present().key;
    MXDIT_CHECK(encoded != nullptr && encoded->key == key,
                "[quantization] quantized apply: expected an activation encoded as ", key,
                ", got ", encoded == nullptr ? "one of another method" : encoded->key);
    return *encoded;
  }
  const Tensor* bias_of(const Tensor* bias) const {
    return replaced_bias_.defined() ? &replaced_bias_ : bias;
  }
  const Choice& present() const { return choices_.at(choose_ ? choose_() : 0); }

  Backend& backend_;
  std::shared_ptr<PreparedWeight> weight_;
  std::vector<Choice> choices_;
  std::function<size_t()> choose_;
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
  return std::make_unique<QuantizedLayer>(backend, weight,
                                          std::vector<ActivationRecipe>{std::move(recipe)}, nullptr,
                                          std::move(replaced_bias));
}

std::unique_ptr<PreparedLinear> make_quantized_layer(Backend& backend, const QuantizedMatrix& weight,
                                                     std::vector<ActivationRecipe> recipes,
                                                     std::function<size_t()> choose) {
  MXDIT_CHECK(!recipes.empty(), "[quantization] layer: expected a recipe, got none");
  return std::make_unique<QuantizedLayer>(backend, weight, std::move(recipes), std::move(choose),
                                          Tensor());
}

}  // namespace mxdit

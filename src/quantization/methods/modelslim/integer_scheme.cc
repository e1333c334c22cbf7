// W8A8, W8A8_DYNAMIC and W4A4_DYNAMIC: integer weights, one scale per output.
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"
#include "quantization/methods/modelslim/layer_tensors.h"
#include "quantization/methods/modelslim/scheme.h"
#include "quantization/quantized_layer.h"

namespace mxdit::modelslim {
namespace {

LinearInfo integer_info(const Backend& backend, const std::string& type, const QuantFormat& format,
                        const Tensor& weight) {
  LinearInfo info;
  info.type = type;
  info.kernel = backend.quantized_kernel(format, format, weight.dim(0), weight.dim(1));
  info.mapped_bytes = weight.bytes();
  info.resident_bytes = format.bytes(weight.dim(0), weight.dim(1)) - weight.bytes();
  return info;
}

// Activations are quantized with a scale of their own per token.
class IntegerDynamic final : public LinearMethod {
 public:
  IntegerDynamic(const SchemeContext& context, const QuantFormat& format)
      : context_(context), format_(format) {}
  std::string name() const override { return context_.type; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Tensor weight = read(tensors, out_features, in_features);
    tensors.check_bias();
    tensors.check_offset();
    if (format_.element == &kInt4) check_int4(tensors, weight);
    const Tensor stored = tensors.get("weight_scale", number_forms({out_features, 1}));
    QuantizedMatrix matrix{&format_, out_features, in_features, {}, {}, {}};
    matrix.elements = backend.from_host(weight);
    matrix.scale = backend.from_host(tensors.numbers("weight_scale", stored));
    ActivationRecipe recipe;
    recipe.format = &format_;
    recipe.smooth_scale = tensors.smooth_scale(in_features);
    return make_quantized_layer(backend, matrix, std::move(recipe));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    return integer_info(backend, context_.type, format_,
                        read(tensors, out_features, in_features));
  }

 private:
  // Everything but values.
  Tensor read(const LayerTensors& tensors, int64_t out_features, int64_t in_features) const {
    tensors.allow_only(
        {"weight", "weight_scale", "weight_offset", "mul_scale", "div.mul_scale", "bias"});
    tensors.get("weight_scale", number_forms({out_features, 1}));
    tensors.check_offset_form(out_features);
    tensors.check_smooth_scale(in_features);
    return tensors.get("weight", {{DType::i8, {out_features, in_features}}});
  }

  // One value a byte; the layouts that pack two are particular to devices.
  static void check_int4(const LayerTensors& tensors, const Tensor& weight) {
    const auto* values = static_cast<const int8_t*>(weight.data());
    const auto* place = std::find_if(values, values + weight.elements(),
                                     [](int8_t value) { return value < -8 || value > 7; });
    if (place != values + weight.elements())
      tensors.refuse("weight", "values from -8 to 7, one a byte",
                     detail::concat(static_cast<int>(*place), " at ", place - values));
  }

  SchemeContext context_;
  const QuantFormat& format_;
};

// Activations are quantized with a stored scale and offset:
//   out = (sum(q w) + quant_bias) * deq_scale
// where deq_scale is the product of both scales, and quant_bias holds the layer's bias and what the
// offset adds, in units of deq_scale. The layer's own bias is not looked at.
class Int8Static final : public LinearMethod {
 public:
  explicit Int8Static(const SchemeContext& context) : context_(context) {}
  std::string name() const override { return context_.type; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Stored stored = read(tensors, out_features, in_features);
    tensors.check_offset();
    if (tensors.has("weight_scale"))
      tensors.numbers("weight_scale", tensors.get("weight_scale", number_forms({out_features, 1})));
    QuantizedMatrix matrix{&kInt8Row, out_features, in_features, {}, {}, {}};
    const Tensor scale = tensors.numbers("deq_scale", deq_scale(tensors, stored.deq_scale));
    matrix.elements = backend.from_host(stored.weight);
    matrix.scale = backend.from_host(scale.reshape({out_features, 1}));
    ActivationRecipe recipe = static_recipe(tensors, stored);
    recipe.smooth_scale = tensors.smooth_scale(in_features);
    return make_quantized_layer(backend, matrix, std::move(recipe),
                                real_bias(tensors, stored.quant_bias, scale));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Stored stored = read(tensors, out_features, in_features);
    LinearInfo info = integer_info(backend, context_.type, kInt8Row, stored.weight);
    info.replaces_bias = true;
    return info;
  }

 private:
  struct Stored {
    Tensor weight, deq_scale, quant_bias, input_scale, input_offset;
  };

  // Everything but values.
  Stored read(const LayerTensors& tensors, int64_t out_features, int64_t in_features) const {
    tensors.allow_only({"weight", "deq_scale", "quant_bias", "input_scale", "input_offset",
                        "weight_scale", "weight_offset", "mul_scale", "div.mul_scale", "bias"});
    Stored stored;
    stored.weight = tensors.get("weight", {{DType::i8, {out_features, in_features}}});
    stored.deq_scale =
        tensors.get("deq_scale", {{DType::f32, {out_features}}, {DType::i64, {out_features}}});
    stored.quant_bias = tensors.get("quant_bias", {{DType::i32, {out_features}}});
    stored.input_scale = tensors.get("input_scale", number_forms({1}));
    stored.input_offset = tensors.get("input_offset", number_forms({1}));
    if (tensors.has("weight_scale")) tensors.get("weight_scale", number_forms({out_features, 1}));
    tensors.check_offset_form(out_features);
    tensors.check_smooth_scale(in_features);
    return stored;
  }

  // Models in fp16 store the bits of the fp32 scale in 64-bit integers, the upper half 0: the form
  // that the device's operator takes.
  static Tensor deq_scale(const LayerTensors& tensors, const Tensor& stored) {
    if (stored.dtype() == DType::f32) return stored;
    Tensor result = Tensor::host(DType::f32, stored.shape());
    for (int64_t i = 0; i < stored.elements(); ++i) {
      const int64_t bits = stored.as<int64_t>()[i];
      if (bits < 0 || bits > 0xffffffffLL)
        tensors.refuse("deq_scale", "the bits of an fp32 number in the lower half of each",
                       detail::concat(bits, " at ", i));
      result.as_mutable<float>()[i] = std::bit_cast<float>(static_cast<uint32_t>(bits));
    }
    return result;
  }

  static ActivationRecipe static_recipe(const LayerTensors& tensors, const Stored& stored) {
    ActivationRecipe recipe;
    recipe.format = &kInt8Row;
    recipe.static_scale = tensors.numbers("input_scale", stored.input_scale).as<float>()[0];
    recipe.static_offset =
        tensors.numbers("input_offset", stored.input_offset, true).as<float>()[0];
    recipe.scale_in_weight = true;
    if (!(recipe.static_scale > 0.0f) || !std::isfinite(1.0f / recipe.static_scale))
      tensors.refuse("input_scale", "a positive number with a finite reciprocal",
                     detail::concat(recipe.static_scale));
    if (recipe.static_offset < -128.0f || recipe.static_offset > 127.0f)
      tensors.refuse("input_offset", "-128..127", detail::concat(recipe.static_offset));
    return recipe;
  }

  static Tensor real_bias(const LayerTensors& tensors, const Tensor& quant_bias,
                          const Tensor& scale) {
    Tensor bias = Tensor::host(DType::f32, quant_bias.shape());
    for (int64_t i = 0; i < bias.elements(); ++i) {
      const float value =
          static_cast<float>(quant_bias.as<int32_t>()[i]) * scale.as<float>()[i];
      if (!std::isfinite(value))
        tensors.refuse("quant_bias", "finite products with deq_scale",
                       detail::concat(value, " at ", i));
      bias.as_mutable<float>()[i] = value;
    }
    return bias;
  }

  SchemeContext context_;
};

}  // namespace

std::shared_ptr<const LinearMethod> make_int8_static(const SchemeContext& context) {
  return std::make_shared<Int8Static>(context);
}

std::shared_ptr<const LinearMethod> make_int8_dynamic(const SchemeContext& context) {
  return std::make_shared<IntegerDynamic>(context, kInt8Row);
}

std::shared_ptr<const LinearMethod> make_int4_dynamic(const SchemeContext& context) {
  return std::make_shared<IntegerDynamic>(context, kInt4Row);
}

}  // namespace mxdit::modelslim

// W4A4_MXFP4 and W4A4_MXFP4_DUALSCALE: E2M1 weights with one or two levels of scales.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "formats/e2m1_packing.h"
#include "quantization/methods/modelslim/layer_tensors.h"
#include "quantization/methods/modelslim/scheme.h"
#include "quantization/quantized_layer.h"

namespace mxdit::modelslim {
namespace {

constexpr int64_t kBlock = 32, kGroup = 512;
constexpr int kLargestCode = 252;  // 6 * 2^(252 - 127) is the last that fp32 holds
class Mxfp4 final : public LinearMethod {
 public:
  explicit Mxfp4(const SchemeContext& context) : context_(context) {}
  std::string name() const override { return context_.type; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Stored stored = read(tensors, out_features, in_features);
    tensors.check_bias();
    QuantizedMatrix matrix{stored.format, out_features, in_features, {}, {}, {}};
    const Tensor codes = tensors.block_scale(out_features, in_features, kLargestCode);
    if (stored.dual_scale.defined()) {
      const Tensor scale = tensors.numbers("weight_dual_scale", stored.dual_scale);
      check_products(tensors, codes, scale, in_features);
      matrix.scale = backend.from_host(scale.reshape(kMxfp4Dual.scale_shape(out_features, in_features)));
    }
    matrix.block_scale = backend.from_host(codes);
    matrix.elements =
        backend.from_host(stored.packed() ? stored.weight : packed(tensors, stored.weight));
    return make_quantized_layer(backend, matrix, recipes(stored, tensors.smooth_scale(in_features)),
                                choice());
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Stored stored = read(tensors, out_features, in_features);
    const ActivationRecipe recipe = recipes(stored, Tensor())[choice()()];
    LinearInfo info;
    info.type = context_.type;
    if (context_.type == "W4A4_MXFP4") info.type += stored.dual() ? ", dual level" : ", single level";
    info.kernel = backend.quantized_kernel(*recipe.format, *stored.format, out_features, in_features);
    const uint64_t bytes = stored.format->bytes(out_features, in_features);
    if (stored.packed()) {
      info.mapped_bytes = stored.weight.bytes();
      info.resident_bytes = bytes - stored.weight.bytes();
    } else {
      info.resident_bytes = bytes;
      info.working_bytes = stored.weight.bytes();
    }
    return info;
  }

 private:
  struct Stored {
    const QuantFormat* format = nullptr;
    Tensor weight, dual_scale;  // dual_scale: undefined for a single level

    bool dual() const { return dual_scale.defined(); }
    bool packed() const { return weight.dtype() == DType::u8; }
  };

  // Everything but values.
  Stored read(const LayerTensors& tensors, int64_t out_features, int64_t in_features) const {
    tensors.allow_only({"weight", "weight_scale", "weight_dual_scale", "mul_scale", "div.mul_scale",
                        "bias"});
    Stored stored;
    const bool dual = context_.type == "W4A4_MXFP4_DUALSCALE" || tensors.has("weight_dual_scale");
    if (in_features % kBlock != 0)
      fail(ErrorKind::unsupported, "[quantization] ", context_.description->file, ": layer ",
           tensors.layer(), " (", context_.type, "): expected a multiple of ", kBlock,
           " inputs, got ", in_features);
    stored.format = dual ? &kMxfp4Dual : &kMxfp4;
    stored.weight = tensors.get("weight", {{DType::f8_e4m3, {out_features, in_features}},
                                           {DType::u8, {out_features, in_features / 2}}});
    tensors.stored_block_scale(out_features, in_features);
    if (dual) {
      const int64_t groups = kMxfp4Dual.groups(in_features);
      stored.dual_scale =
          tensors.get("weight_dual_scale", {{DType::f32, {out_features, groups, 1}},
                                            {DType::f32, {out_features, groups}}});
    } else {
      check_algorithm(tensors.layer());
    }
    tensors.check_smooth_scale(in_features);
    return stored;
  }

  // Single-level activations are encoded by the OCP rule (algorithm 0) only.
  void check_algorithm(const std::string& layer) const {
    const Description& description = *context_.description;
    const bool other_rule = description.mxfp4_scale_alg.value_or(0) != 0;
    if (!other_rule && (description.mxfp4_scale_alg || !description.mxfp4_dst_type_max)) return;
    const std::string got = other_rule
                                ? "mxfp4_scale_alg " + std::to_string(*description.mxfp4_scale_alg)
                                : detail::concat("mxfp4_dst_type_max ", *description.mxfp4_dst_type_max);
    fail(ErrorKind::unsupported, "[quantization] ", description.file, ": layer ", layer, " (",
         context_.type, "): expected mxfp4_scale_alg 0 for a single level of scales, got ", got);
  }

  // Every value of an E4M3 container has to be one of E2M1.
  static Tensor packed(const LayerTensors& tensors, const Tensor& weight) {
    Tensor result = Tensor::host(DType::u8, {weight.dim(0), weight.dim(1) / 2});
    const auto count = static_cast<size_t>(weight.elements());
    const size_t i = pack_e2m1(weight.as<uint8_t>(), count, result.as_mutable<uint8_t>());
    if (i == count) return result;
    tensors.refuse("weight", "values of E2M1 (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives)",
                   detail::concat(e4m3_to_float(weight.as<uint8_t>()[i]), " at ", i));
  }

  // No element may become infinite by both scales together.
  static void check_products(const LayerTensors& tensors, const Tensor& codes, const Tensor& scale,
                             int64_t in_features) {
    const int64_t groups = kMxfp4Dual.groups(in_features), blocks = in_features / kBlock;
    const int64_t stride = kMxfp4Dual.block_scale_shape(1, in_features).elements();
    for (int64_t i = 0; i < scale.elements(); ++i) {
      const int64_t row = i / groups, first = (i % groups) * (kGroup / kBlock);
      const uint8_t* code = codes.as<uint8_t>() + row * stride;
      const uint8_t most = *std::max_element(code + first,
                                             code + std::min(first + kGroup / kBlock, blocks));
      if (!std::isfinite(6.0f * e8m0_to_float(most) * scale.as<float>()[i]))
        tensors.refuse("weight_dual_scale", "weights that stay finite with weight_scale",
                       detail::concat(scale.as<float>()[i], " at ", i, " with the code ",
                                      static_cast<int>(most)));
    }
  }

  bool has_policy() const { return context_.description->policy.has_value(); }

  // The activation as the type says, and with a timestep policy a second way.
  std::vector<ActivationRecipe> recipes(const Stored& stored, const Tensor& smooth) const {
    ActivationRecipe w4a4;
    w4a4.format = stored.format;
    w4a4.round = stored.dual() ? RoundMode::rint : RoundMode::round;
    w4a4.smooth_scale = smooth;
    if (!has_policy()) return {w4a4};
    ActivationRecipe w4a8;
    w4a8.format = &kMxfp8;
    w4a8.smooth_scale = smooth;
    return {w4a4, w4a8};
  }

  std::function<size_t()> choice() const {
    if (!has_policy()) return [] { return size_t{0}; };
    return [description = context_.description, clock = context_.clock] {
      const int64_t step = clock == nullptr ? 0 : clock->step();
      return description->policy->at(step) == TimestepPolicy::Precision::w4a8 ? size_t{1} : size_t{0};
    };
  }

  SchemeContext context_;
};

}  // namespace

std::shared_ptr<const LinearMethod> make_mxfp4(const SchemeContext& context) {
  return std::make_shared<Mxfp4>(context);
}

}  // namespace mxdit::modelslim

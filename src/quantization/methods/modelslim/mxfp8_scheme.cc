// W8A8_MXFP8: E4M3 weights and activations with an E8M0 scale per 32.
#include <algorithm>

#include "core/error.h"
#include "quantization/methods/modelslim/layer_tensors.h"
#include "quantization/methods/modelslim/scheme.h"
#include "quantization/quantized_layer.h"
#include "quantization/stored_tensor.h"

namespace mxdit::modelslim {
namespace {

constexpr int64_t kBlock = 32;
constexpr int kLargestCode = 246;  // 448 * 2^(246 - 127) is the last that fp32 holds

class Mxfp8 final : public LinearMethod {
 public:
  explicit Mxfp8(const SchemeContext& context) : context_(context) {}
  std::string name() const override { return context_.type; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Tensor weight = read(tensors, out_features, in_features);
    tensors.check_bias();
    check_numbers(tensors, weight);
    QuantizedMatrix matrix{&kMxfp8, out_features, in_features, {}, {}, {}};
    matrix.elements = backend.from_host(weight);
    matrix.block_scale =
        backend.from_host(tensors.block_scale(out_features, in_features, kLargestCode));
    ActivationRecipe recipe;
    recipe.format = &kMxfp8;
    recipe.smooth_scale = tensors.smooth_scale(in_features);
    return make_quantized_layer(backend, matrix, std::move(recipe));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const LayerTensors tensors(source, context_.type, *context_.description);
    const Tensor weight = read(tensors, out_features, in_features);
    LinearInfo info;
    info.type = context_.type;
    info.kernel = backend.quantized_kernel(kMxfp8, kMxfp8, out_features, in_features);
    info.mapped_bytes = weight.bytes();
    info.resident_bytes = kMxfp8.bytes(out_features, in_features) - weight.bytes();
    return info;
  }

 private:
  // Everything but values.
  Tensor read(const LayerTensors& tensors, int64_t out_features, int64_t in_features) const {
    tensors.allow_only({"weight", "weight_scale", "mul_scale", "div.mul_scale", "bias"});
    if (in_features % kBlock != 0)
      fail(ErrorKind::unsupported, "[quantization] ", context_.description->file, ": layer ",
           tensors.layer(), " (", context_.type, "): expected a multiple of ", kBlock,
           " inputs, got ", in_features);
    tensors.stored_block_scale(out_features, in_features);
    tensors.check_smooth_scale(in_features);
    return tensors.get("weight", {{DType::f8_e4m3, {out_features, in_features}}});
  }

  static void check_numbers(const LayerTensors& tensors, const Tensor& weight) {
    const uint8_t* codes = weight.as<uint8_t>();
    unsigned nan = 0;  // without branches, since every weight passes here
    for (int64_t i = 0; i < weight.elements(); ++i) nan |= (codes[i] & 0x7fu) == 0x7fu;
    if (nan == 0) return;
    const uint8_t* place = std::find_if(codes, codes + weight.elements(),
                                        [](uint8_t code) { return (code & 0x7fu) == 0x7fu; });
    tensors.refuse("weight", "numbers", detail::concat("NaN at ", place - codes));
  }

  SchemeContext context_;
};

}  // namespace

std::shared_ptr<const LinearMethod> make_mxfp8(const SchemeContext& context) {
  return std::make_shared<Mxfp8>(context);
}

}  // namespace mxdit::modelslim

#include "quantization/stored_fp8.h"

#include <vector>

#include "core/error.h"
#include "quantization/quantized_layer.h"
#include "quantization/stored_tensor.h"

namespace mxdit {
namespace {

constexpr const char* kInverse = "weight_scale_inv";

class StoredFp8Method final : public LinearMethod {
 public:
  explicit StoredFp8Method(StoredFp8Layout layout) : layout_(std::move(layout)) {}
  std::string name() const override { return layout_.key; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const Tensor elements = checked_weight(source, out_features, in_features);
    check_finite(source, "weight", elements);
    QuantizedMatrix weight{&kFp8Row, out_features, in_features, backend.from_host(elements), {},
                           {}};
    weight.scale = backend.from_host(
        stored_row_scale(source, scale_name(source), out_features, scale_shapes(out_features)));
    ActivationRecipe activation;
    activation.format = &kFp8Row;
    if (layout_.static_activation) activation.static_scale = stored_scalar(source, "input_scale");
    return make_quantized_layer(backend, weight, std::move(activation));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const Tensor elements = checked_weight(source, out_features, in_features);
    stored_part(source, scale_name(source), {DType::f32, DType::bf16}, scale_shapes(out_features));
    if (layout_.static_activation)
      stored_part(source, "input_scale", {DType::f32, DType::bf16}, {Shape{}, Shape{1}});
    LinearInfo info;
    info.type = kFp8Row.name;
    info.kernel = backend.quantized_kernel(kFp8Row, kFp8Row, out_features, in_features);
    info.mapped_bytes = elements.bytes();
    info.resident_bytes = kFp8Row.bytes(out_features, in_features) - elements.bytes();
    return info;
  }

 private:
  Tensor checked_weight(const LinearSource& source, int64_t out_features,
                        int64_t in_features) const {
    if (layout_.static_activation)
      refuse_other_parts(source, {"weight_scale", kInverse, "input_scale"},
                         layout_.key + " with a static input_scale has no such part");
    else
      refuse_other_parts(source, {"weight_scale", kInverse},
                         layout_.key + " with dynamic activations has no such part");
    return stored_part(source, "weight", {DType::f8_e4m3}, {{out_features, in_features}});
  }

  std::string scale_name(const LinearSource& source) const {
    if (!has_stored(source, kInverse)) return "weight_scale";
    if (has_stored(source, "weight_scale"))
      fail(ErrorKind::bad_input, "[quantization] ", where(source, "weight_scale"),
           ": expected one scale of the weight, got ", source.layer, ".", kInverse, " as well");
    if (!layout_.accepts_inverse)
      fail(ErrorKind::bad_input, "[quantization] ", where(source, kInverse), ": expected none (",
           layout_.key, " calls it weight_scale), got one");
    return kInverse;
  }

  std::vector<Shape> scale_shapes(int64_t out_features) const {
    if (!layout_.has_row_scales) return {Shape{}, Shape{1}};
    return {{out_features, 1}, {out_features}, {1}, {}};
  }

  StoredFp8Layout layout_;
};

}  // namespace

std::shared_ptr<const LinearMethod> make_stored_fp8_method(const StoredFp8Layout& layout) {
  return std::make_shared<StoredFp8Method>(layout);
}

}  // namespace mxdit

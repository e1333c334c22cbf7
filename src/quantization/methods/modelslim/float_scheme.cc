// FLOAT: layers that the checkpoint keeps plain.
#include "quantization/configs/plain/config.h"
#include "quantization/methods/modelslim/layer_tensors.h"
#include "quantization/methods/modelslim/scheme.h"

namespace mxdit::modelslim {
namespace {

class Float final : public LinearMethod {
 public:
  explicit Float(const SchemeContext& context) : context_(context) {}
  std::string name() const override { return context_.type; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    check(source, out_features, in_features);
    return plain(source, out_features, in_features)
        ->prepare(backend, source, out_features, in_features);
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    check(source, out_features, in_features);
    return plain(source, out_features, in_features)
        ->describe(backend, source, out_features, in_features);
  }

 private:
  // A quantized weight must not be read without its scales because it is called plain.
  void check(const LinearSource& source, int64_t out_features, int64_t in_features) const {
    const LayerTensors tensors(source, context_.type, *context_.description);
    for (const std::string& part : source.weights->names_below(source.layer))
      if (part != "weight" && part != "bias")
        tensors.refuse(part, "none but weight, bias in such a layer", part);
    tensors.get("weight", number_forms({out_features, in_features}));
  }

  static std::shared_ptr<const LinearMethod> plain(const LinearSource& source, int64_t out_features,
                                                   int64_t in_features) {
    return plain_quantization().plan(source.layer, out_features, in_features).method;
  }

  SchemeContext context_;
};

}  // namespace

std::shared_ptr<const LinearMethod> make_float(const SchemeContext& context) {
  return std::make_shared<Float>(context);
}

}  // namespace mxdit::modelslim

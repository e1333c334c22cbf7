#include "quantization/plain_method.h"

#include "core/error.h"
#include "quantization/methods/unquantized/method.h"
#include "quantization/stored_tensor.h"

namespace mxdit {
namespace {

class PlainMethod final : public LinearMethod {
 public:
  explicit PlainMethod(std::string reason) : reason_(std::move(reason)) {}
  std::string name() const override { return unquantized_->name(); }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    refuse_quantized(source, out_features, in_features);
    return unquantized_->prepare(backend, source, out_features, in_features);
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    refuse_quantized(source, out_features, in_features);
    return unquantized_->describe(backend, source, out_features, in_features);
  }

 private:
  void refuse_quantized(const LinearSource& source, int64_t out_features,
                        int64_t in_features) const {
    refuse_other_parts(source, {}, reason_);
    const DType dtype =
        source.weights->get(source.layer + ".weight", {out_features, in_features}).dtype();
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
      fail(ErrorKind::bad_input, "[quantization] ", where(source, "weight"),
           ": expected F32, F16 or BF16 (", reason_, "), got ", mxdit::name(dtype));
  }

  std::string reason_;
  std::shared_ptr<const LinearMethod> unquantized_ = unquantized::make_method();
};

}  // namespace

std::shared_ptr<const LinearMethod> make_plain_method(const std::string& reason) {
  return std::make_shared<PlainMethod>(reason);
}

}  // namespace mxdit

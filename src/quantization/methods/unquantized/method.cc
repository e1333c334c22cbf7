#include "quantization/methods/unquantized/method.h"

#include "core/error.h"
#include "ops/ops.h"
#include "quantization/quantized_tensors.h"

namespace mxdit::unquantized {

namespace {

// Encoding is sharing: products read the activation as it is, or as one of them packed it.
struct PlainActivation final : EncodedActivation {
  PlainActivation(PlainMatrix rows, DType type) : input(std::move(rows)), dtype(type) {}
  PlainMatrix input;
  DType dtype;
};

class PlainLinear final : public PreparedLinear {
 public:
  PlainLinear(Backend& backend, std::shared_ptr<PreparedWeight> weight)
      : backend_(backend), weight_(std::move(weight)) {}

  int64_t out_features() const noexcept override { return weight_->out_features(); }
  int64_t in_features() const noexcept override { return weight_->in_features(); }
  std::string encoding_key() const override { return "plain"; }

  std::unique_ptr<EncodedActivation> encode(const LinearInput& x) const override {
    const Tensor rows = x.rows();
    return std::make_unique<PlainActivation>(
        PlainMatrix{.rows = rows.dim(0), .columns = rows.dim(1), .x = rows}, rows.dtype());
  }

  Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const override {
    const PlainActivation& plain = checked(x);
    return ops::linear(backend_, plain.input, *weight_, bias, act, plain.dtype);
  }

  std::unique_ptr<EncodedActivation> apply_for(const PreparedLinear& next,
                                               const EncodedActivation& x, const Tensor* bias,
                                               Activation act) const override {
    const auto* layer = dynamic_cast<const PlainLinear*>(&next);
    if (layer == nullptr) return next.encode(apply(x, bias, act));
    const PlainActivation& plain = checked(x);
    return std::make_unique<PlainActivation>(
        ops::linear_packed(backend_, plain.input, *weight_, bias, act, plain.dtype,
                           *layer->weight_),
        plain.dtype);
  }

 private:
  static const PlainActivation& checked(const EncodedActivation& x) {
    const auto* plain = dynamic_cast<const PlainActivation*>(&x);
    MXDIT_CHECK(plain != nullptr,
                "[quantization] unquantized apply: expected a plain activation, "
                "got one that another method encoded");
    return *plain;
  }

  Backend& backend_;
  std::shared_ptr<PreparedWeight> weight_;
};

bool is_multipliable(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 ||
         dtype == DType::f8_e4m3 || dtype == DType::f8_e5m2;
}

class Method final : public LinearMethod {
 public:
  std::string name() const override { return "unquantized"; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const Tensor weight = stored_weight(source, out_features, in_features);
    return std::make_unique<PlainLinear>(
        backend, backend.prepare_linear(backend.from_host(weight), {.bias = source.bias}));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const Tensor weight = stored_weight(source, out_features, in_features);
    LinearInfo info;
    info.type = mxdit::name(weight.dtype());
    info.kernel = backend.linear_kernel(weight.dtype(), out_features, in_features,
                                        {.bias = source.bias});
    info.mapped_bytes = weight.bytes();
    return info;
  }

 private:
  // A weight that comes with scales must not be read without them.
  static void refuse_scales(const LinearSource& source) {
    for (const std::string& part : source.weights->names_below(source.layer)) {
      const TensorPlace place = source.weights->place_of(source.layer + "." + part);
      if (is_quantized_tensor(source.layer + "." + part, place.dtype))
        fail(ErrorKind::bad_input, "[quantization] ", place.file.string(), " tensor ",
             source.layer, ".", part, ": expected none beside a layer that is loaded plain, got ",
             mxdit::name(place.dtype), " ", place.shape);
    }
  }

  static Tensor stored_weight(const LinearSource& source, int64_t out_features,
                              int64_t in_features) {
    const std::string tensor = source.layer + ".weight";
    const Tensor weight = source.weights->get(tensor, {out_features, in_features});
    if (!is_multipliable(weight.dtype()))
      fail(ErrorKind::unsupported, "[quantization] ", source.weights->file_of(tensor).string(),
           " tensor ", tensor, ": expected F32, F16, BF16, F8_E4M3 or F8_E5M2, got ",
           mxdit::name(weight.dtype()));
    refuse_scales(source);
    return weight;
  }
};

}  // namespace

std::shared_ptr<const LinearMethod> make_method() {
  return std::make_shared<Method>();
}

}  // namespace mxdit::unquantized

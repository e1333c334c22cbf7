#include "quantization/methods/modelopt_fp4/method.h"

#include "core/error.h"
#include "quantization/modelopt_declaration.h"
#include "quantization/quantized_layer.h"
#include "quantization/stored_config.h"
#include "quantization/stored_tensor.h"

namespace mxdit {
namespace {

constexpr const char* kKey = "modelopt_fp4";
constexpr int64_t kBlock = 16;

// Signs, and scales of 0 over elements that are not 0, are not what an encoder writes; a file with
// a hole (zeros where scales should be) is what this finds.
void check_block_scales(const LinearSource& source, const Tensor& scales, const Tensor& elements) {
  check_finite(source, "weight_scale", scales);
  const uint8_t* codes = scales.as<uint8_t>();
  const uint8_t* packed = elements.as<uint8_t>();
  for (int64_t i = 0; i < scales.elements(); ++i) {
    if (codes[i] != 0 && codes[i] < 0x80) continue;
    uint8_t magnitudes = 0;
    for (int64_t byte = 0; byte < kBlock / 2; ++byte)
      magnitudes |= static_cast<uint8_t>(packed[i * kBlock / 2 + byte] & 0x77);
    if (codes[i] == 0 && magnitudes == 0) continue;
    fail(ErrorKind::bad_input, "[quantization] ", where(source, "weight_scale"),
         ": expected positive numbers, got ", e4m3_to_float(codes[i]), " at ", i);
  }
}

class Method final : public LinearMethod {
 public:
  std::string name() const override { return kKey; }

  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    const Parts parts = checked_parts(source, out_features, in_features);
    check_block_scales(source, parts.block_scale, parts.elements);
    QuantizedMatrix weight{&kNvfp4, out_features, in_features, {}, {}, {}};
    weight.elements = backend.from_host(parts.elements);
    weight.block_scale = backend.from_host(parts.block_scale);
    weight.scale = backend.from_host(
        stored_row_scale(source, "weight_scale_2", out_features, {Shape{}, Shape{1}}));
    ActivationRecipe activation;
    activation.format = &kNvfp4;
    activation.static_scale = stored_scalar(source, "input_scale");
    return make_quantized_layer(backend, weight, std::move(activation));
  }

  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    const Parts parts = checked_parts(source, out_features, in_features);
    LinearInfo info;
    info.type = kNvfp4.name;
    info.kernel = backend.quantized_kernel(kNvfp4, kNvfp4, out_features, in_features);
    info.mapped_bytes = parts.elements.bytes() + parts.block_scale.bytes();
    info.resident_bytes = kNvfp4.bytes(out_features, in_features) - info.mapped_bytes;
    return info;
  }

 private:
  struct Parts {
    Tensor elements, block_scale;
  };

  static Parts checked_parts(const LinearSource& source, int64_t out_features,
                             int64_t in_features) {
    refuse_other_parts(source, {"weight_scale", "weight_scale_2", "input_scale"},
                       std::string(kKey) + " has no such part");
    for (const char* scalar : {"weight_scale_2", "input_scale"})
      stored_part(source, scalar, {DType::f32, DType::bf16}, {Shape{}, Shape{1}});
    return {stored_part(source, "weight", {DType::u8},
                        {kNvfp4.elements_shape(out_features, in_features)}),
            stored_part(source, "weight_scale", {DType::f8_e4m3},
                        {kNvfp4.block_scale_shape(out_features, in_features)})};
  }
};

std::string refuses(int64_t /*out_features*/, int64_t in_features) {
  if (in_features % kBlock == 0) return "";
  return "expected a multiple of 16 inputs, got " + std::to_string(in_features);
}

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  StoredConfig config;
  config.method = std::make_shared<Method>();
  config.refuses = refuses;
  config.excludes = [declaration = read_modelopt_declaration(arguments, kKey, "NVFP4", kBlock)](
                        const std::string& layer) { return declaration.excludes(layer); };
  return make_stored_config(std::move(config), arguments);
}

}  // namespace

const QuantizationKey kModeloptFp4Key = {
    kKey,  "ModelOpt checkpoints in NVFP4 (E2M1, E4M3 per 16, fp32 per tensor), activations too",
    false, true,
    "cpu", make};

}  // namespace mxdit

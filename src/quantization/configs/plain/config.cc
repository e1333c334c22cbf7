#include "quantization/configs/plain/config.h"

#include "quantization/methods/unquantized/method.h"

namespace mxdit {

namespace {

class PlainConfig final : public QuantConfig {
 public:
  std::string name() const override { return "plain"; }
  LinearPlan plan(const std::string& /*layer*/, int64_t /*out_features*/,
                  int64_t /*in_features*/) const override {
    return {method_, "the checkpoint is not quantized"};
  }

 private:
  std::shared_ptr<const LinearMethod> method_ = unquantized::make_method();
};

}  // namespace

std::unique_ptr<QuantConfig> plain_config() {
  return std::make_unique<PlainConfig>();
}

const QuantConfig& plain_quantization() {
  static const PlainConfig config;
  return config;
}

}  // namespace mxdit

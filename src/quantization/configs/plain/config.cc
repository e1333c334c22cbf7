#include "quantization/configs/plain/config.h"

#include "quantization/registry.h"

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
  std::shared_ptr<const LinearMethod> method_ = make_linear_method("unquantized");
};

}  // namespace

std::unique_ptr<QuantConfig> plain_config() {
  return std::make_unique<PlainConfig>();
}

}  // namespace mxdit

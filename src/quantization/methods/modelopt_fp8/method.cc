#include "quantization/methods/modelopt_fp8/method.h"

#include "quantization/modelopt_declaration.h"
#include "quantization/stored_config.h"
#include "quantization/stored_fp8.h"

namespace mxdit {
namespace {

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  StoredConfig config;
  config.method = make_stored_fp8_method({"modelopt_fp8", false, false, true});
  config.excludes = [declaration = read_modelopt_declaration(arguments, "modelopt_fp8", "FP8", 0)](
                        const std::string& layer) { return declaration.excludes(layer); };
  return make_stored_config(std::move(config), arguments);
}

}  // namespace

const QuantizationKey kModeloptFp8Key = {
    "modelopt_fp8", "ModelOpt checkpoints in FP8 (E4M3, fp32 per tensor, static activations)",
    false, true, "cpu", make};

}  // namespace mxdit

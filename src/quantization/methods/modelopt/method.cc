#include "quantization/methods/modelopt/method.h"

#include "core/error.h"
#include "quantization/modelopt_declaration.h"

namespace mxdit {
namespace {

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  const std::string algorithm = modelopt_algorithm(arguments, "modelopt");
  if (algorithm == "FP8")
    return find_quantization_key("modelopt_fp8", "quant_method").make(arguments);
  if (algorithm == "NVFP4")
    return find_quantization_key("modelopt_fp4", "quant_method").make(arguments);
  fail(ErrorKind::unsupported, "[quantization] ", arguments.declared_in,
       ": quant_algo: expected FP8 or NVFP4, got ", algorithm);
}

}  // namespace

const QuantizationKey kModeloptKey = {
    "modelopt", "ModelOpt checkpoints, by the quant_algo they declare (FP8, NVFP4)", false, true,
    "cpu", make};

}  // namespace mxdit

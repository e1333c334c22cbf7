#include "quantization/methods/fp8/method.h"

#include "core/error.h"
#include "quantization/online_method.h"
#include "quantization/stored_config.h"
#include "quantization/stored_fp8.h"

namespace mxdit {
namespace {

struct Declaration {
  bool is_static = false;
  std::vector<std::string> ignored;
};

Declaration read_declaration(const Json& json, const std::string& file) {
  Declaration declaration;
  const auto scheme = optional_or<std::string>(json, "activation_scheme", "dynamic", file);
  if (scheme != "dynamic" && scheme != "static")
    fail(ErrorKind::bad_input, "[quantization] ", file,
         ": activation_scheme: expected dynamic or static, got ", scheme);
  declaration.is_static = scheme == "static";
  const auto element = optional_or<std::string>(json, "fmt", "e4m3", file);
  if (element != "e4m3")
    fail(ErrorKind::unsupported, "[quantization] ", file, ": fmt: expected e4m3, got ", element);
  // Scales per block of 128 x 128 would have to go into the sum; a product with scales per row only
  // could not give the checkpoint's numbers.
  const auto block = json.find("weight_block_size");
  if (block != json.end() && !block->is_null())
    fail(ErrorKind::unsupported, "[quantization] ", file,
         ": weight_block_size: expected none (scales of whole tensors or output channels), got ",
         block->is_array() ? block->dump() : describe(*block));
  for (const char* key : {"ignored_layers", "modules_to_not_convert"})
    for (auto& name : optional_or<std::vector<std::string>>(json, key, {}, file))
      declaration.ignored.push_back(std::move(name));
  return declaration;
}

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  if (arguments.declaration == nullptr)
    return make_online_config({"fp8", &kFp8Row, &kFp8Row, RoundMode::rint}, arguments, takes_all);
  const Declaration declaration = read_declaration(*arguments.declaration, arguments.declared_in);
  StoredConfig config;
  config.method = make_stored_fp8_method({"fp8", true, true, declaration.is_static});
  config.excludes = [ignored = declaration.ignored](const std::string& layer) {
    return is_ignored(layer, ignored);
  };
  return make_stored_config(std::move(config), arguments);
}

}  // namespace

const QuantizationKey kFp8Key = {
    "fp8", "FP8 weights (E4M3, fp32 per output channel or tensor) and activations (fp32 per token, "
    "or static)", true, true, "cpu", make};

}  // namespace mxdit

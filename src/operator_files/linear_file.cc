#include "backend/registry.h"
#include "core/error.h"
#include "mxdit/operators.h"
#include "operator_files/tensor_file.h"
#include "ops/ops.h"
#include "quantization/configs/plain/config.h"
#include "quantization/registry.h"

namespace mxdit {
namespace {

using namespace operator_files;

// What the layer is called inside: checkpoints name tensors below a layer.
constexpr const char* kLayer = "layer";
constexpr const char* kOwn[] = {"x", "bias"};

// The layer's tensors under the names that methods look for; `w` stands for the weight.
WeightStore layer_weights(const std::string& in) {
  const WeightStore stored = WeightStore::open(in);
  if (stored.contains("w") && stored.contains("weight"))
    fail(ErrorKind::bad_input, "[operator_files] ", in,
         ": expected one of the tensors w and weight, got both");
  std::map<std::string, std::string> names;
  for (const std::string& name : stored.names()) {
    const bool own = name == kOwn[0] || name == kOwn[1];
    if (!own) names[name] = std::string(kLayer) + "." + (name == "w" ? "weight" : name);
  }
  return stored.renamed(names);
}

bool has_scale(const WeightStore& weights) {
  for (const std::string& name : weights.names())
    if (name.find("scale") != std::string::npos && !name.ends_with("mul_scale")) return true;
  return false;
}

// What a checkpoint with this layer would declare; null for plain weights.
Json declaration(const std::string& key, const std::string& type, const WeightStore& weights) {
  if (key == "modelslim") {
    Json entries = Json::object();
    for (const std::string& name : weights.names())
      if (name.starts_with(kLayer)) entries[name] = type;
    return entries;
  }
  if (!has_scale(weights)) return nullptr;
  Json config = {{"quant_method", key}};
  if (key == "modelopt_fp4")
    config.update({{"quant_algo", "NVFP4"}, {"group_size", 16}});
  else if (key.starts_with("modelopt"))
    config["quant_algo"] = "FP8";
  else
    config["activation_scheme"] =
        weights.contains(std::string(kLayer) + ".input_scale") ? "static" : "dynamic";
  return config;
}

std::unique_ptr<QuantConfig> make_config(const std::string& key, const Json& declared,
                                         const std::string& in, const WeightStore& weights) {
  ConfigArguments arguments;
  arguments.weights = &weights;
  arguments.declared_in = in;
  if (!declared.is_null()) arguments.declaration = &declared;
  return find_quantization_key(key, "--quantization").make(arguments);
}

// Plain products take f32 and bf16; quantized ones round f32 to bf16 again, and take f16 as it is.
Tensor layer_input(Backend& backend, const Tensor& x, bool plain, DType out_dtype) {
  const Tensor rows = backend.from_host(as_rows(x));
  const bool widen = x.dtype() == DType::f16 ? plain : out_dtype == DType::f32;
  return widen ? ops::cast(backend, rows, DType::f32) : rows;
}

void check_smooth_type(const WeightStore& weights, const std::string& in, DType x) {
  for (const char* name : {"mul_scale", "div.mul_scale"})
    if (x == DType::f16 && weights.contains(std::string(kLayer) + "." + name))
      fail(ErrorKind::unsupported, "[operator_files] ", in,
           " tensor x: expected BF16 or F32 beside a ", name, ", got F16");
}

void check_type_flag(const std::string& key, const std::string& type) {
  if (key == "modelslim" && type.empty())
    fail(ErrorKind::usage, "[operator_files] --type: expected the layer's type (",
         "--quantization modelslim), got none");
  if (key != "modelslim" && !type.empty())
    fail(ErrorKind::usage, "[operator_files] --type: expected none without ",
         "--quantization modelslim, got ", type);
}

}  // namespace

void linear_file(const std::string& in, const std::string& out, const std::string& quantization,
                 const std::string& type, const std::string& out_type,
                 const OperatorOptions& options) {
  check_type_flag(quantization, type);
  TensorFile file(in);
  const Tensor x = file.take_rows("x", {DType::bf16, DType::f16, DType::f32});
  const DType out_dtype = out_type.empty() ? x.dtype() : parse_out_type(out_type);
  const WeightStore weights = layer_weights(in);
  const Shape stored = weights.get(std::string(kLayer) + ".weight").shape();
  if (stored.rank() != 2 || stored[0] < 1)
    fail(ErrorKind::bad_input, "[operator_files] ", in, " tensor weight: expected [N, K], got ",
         stored);
  check_smooth_type(weights, in, x.dtype());
  const auto backend = make_backend(options.device, {options.threads, options.isa});
  const Json declared = declaration(quantization, type, weights);
  const auto config = quantization.empty() ? plain_config()
                                           : make_config(quantization, declared, in, weights);
  const int64_t rows = stored[0], columns = x.dim(-1);
  const auto layer = config->plan(kLayer, rows, columns)
                         .method->prepare(*backend, {&weights, kLayer, file.has("bias")}, rows, columns);
  Tensor bias;
  if (file.has("bias")) {
    bias = file.take("bias", {DType::f32, DType::bf16, DType::f16}, {rows});
    bias = ops::cast(*backend, backend->from_host(bias), DType::f32);
  }
  const Tensor input = layer_input(*backend, x, quantization.empty(), out_dtype);
  const Tensor product = layer->apply(*layer->encode(input), bias.defined() ? &bias : nullptr,
                                      Activation::none);
  const Tensor result = ops::cast(*backend, product, out_dtype);
  write_safetensors(out, {{"out", backend->to_host(result).reshape(with_last(x.shape(), {rows}))}});
}

}  // namespace mxdit

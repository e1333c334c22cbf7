// For tests: a small plain model in diffusers' layout, with widths that fit every type and widths
// that do not.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>

#include "checkpoint/weight_store.h"
#include "formats/element.h"
#include "io/json_file.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "models/wan_dit/tensor_names.h"
#include "mxdit/quantize.h"

namespace mxdit::conversion {

// Width 96: fits blocks of 32, no pairs of them, no groups of 512. ffn.net.2 has 512 inputs.
constexpr const char* kPlainConfig = R"({
  "_class_name": "WanTransformer3DModel", "num_attention_heads": 2, "attention_head_dim": 48,
  "in_channels": 4, "out_channels": 4, "text_dim": 32, "freq_dim": 32, "ffn_dim": 512,
  "num_layers": 3, "cross_attn_norm": true})";

inline Tensor plain_tensor(const std::string& name, DType dtype, const Shape& shape,
                           unsigned seed) {
  Tensor tensor = Tensor::host(dtype, shape);
  std::mt19937 generator(static_cast<unsigned>(std::hash<std::string>()(name)) + seed);
  std::normal_distribution<float> normal(0.0f, 0.04f);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = normal(generator);
    if (dtype == DType::f32)
      tensor.as_mutable<float>()[i] = value;
    else
      tensor.as_mutable<uint16_t>()[i] =
          dtype == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
  }
  return tensor;
}

inline std::map<std::string, Tensor> plain_tensors(const std::string& config, DType dtype,
                                                   unsigned seed) {
  std::map<std::string, Tensor> tensors;
  const Json json = parse_json(config, "config");
  for (const auto& tensor : wan_dit::tensors_of(wan_dit::parse_config(json, "config")))
    tensors[tensor.name] = plain_tensor(tensor.name, dtype, tensor.shape, seed);
  return tensors;
}

struct PlainModel {
  DType dtype = DType::bf16;
  bool two_experts = false;
  std::string config = kPlainConfig;

  std::string write(const TemporaryFolder& folder, const std::string& name) const {
    folder.write(
        name + "/model_index.json",
        std::string(R"({"_class_name": "WanPipeline",
                    "transformer": ["diffusers", "WanTransformer3DModel"], "transformer_2": )") +
            (two_experts ? R"(["diffusers", "WanTransformer3DModel"]})" : "[null, null]}"));
    unsigned seed = 0;
    for (const char* expert : {"transformer", "transformer_2"}) {
      if (seed == 1 && !two_experts) break;
      folder.write(name + "/" + expert + "/config.json", config);
      write_safetensors(folder / (name + "/" + expert + "/diffusion_pytorch_model.safetensors"),
                        plain_tensors(config, dtype, seed++));
    }
    folder.write(name + "/vae/weights.bin", "the VAE");
    return folder / name;
  }
};

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Relative name -> content of all files.
inline std::map<std::string, std::string> files_below(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[std::filesystem::relative(entry.path(), folder).string()] = content_of(entry.path());
  return files;
}

}  // namespace mxdit::conversion

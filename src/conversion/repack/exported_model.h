// For tests: a small model in diffusers' layout beside the same model as an exporter writes it,
// with layers of every type, wrapped ones, rotations, two files and metadata.
#pragma once

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "conversion/repack/layer_tensors.h"
#include "conversion/repack/wan_names.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "models/wan_dit/tensor_names.h"
#include "mxdit/repack.h"

namespace mxdit::conversion {

using Tensors = std::map<std::string, Tensor>;
using Metadata = std::map<std::string, std::string>;

constexpr const char* kSmallConfig = R"({
  "_class_name": "WanTransformer3DModel", "num_attention_heads": 2, "attention_head_dim": 32,
  "in_channels": 4, "out_channels": 4, "text_dim": 32, "freq_dim": 32, "ffn_dim": 1024,
  "num_layers": 2, "cross_attn_norm": true, "image_dim": 32, "added_kv_proj_dim": 64,
  "pos_embed_seq_len": 6})";

// Bytes that depend on the name, so that exchanged tensors show. E4M3 containers hold values of the
// E2M1 grid.
inline Tensor patterned(const std::string& name, DType dtype, const Shape& shape) {
  constexpr uint8_t kGrid[] = {0x00, 0x30, 0x38, 0x3C, 0xC0, 0x44, 0xC8, 0x4C, 0x80};
  Tensor tensor = Tensor::host(dtype, shape);
  auto* bytes = static_cast<uint8_t*>(tensor.mutable_data());
  size_t state = std::hash<std::string>()(name);
  for (size_t i = 0; i < tensor.bytes(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto value = static_cast<uint8_t>(state >> 56);
    bytes[i] = dtype == DType::f8_e4m3 ? kGrid[value % sizeof(kGrid)] : value;
  }
  return tensor;
}

inline void expect_equal(const Tensors& got, const Tensors& expected) {
  std::vector<std::string> got_names, expected_names;
  for (const auto& [name, tensor] : got) got_names.push_back(name);
  for (const auto& [name, tensor] : expected) expected_names.push_back(name);
  ASSERT_EQ(got_names, expected_names);
  for (const auto& [name, tensor] : expected) {
    const Tensor& other = got.at(name);
    EXPECT_EQ(other.dtype(), tensor.dtype()) << name;
    ASSERT_EQ(other.shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(other.data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

inline Tensors tensors_in(const WeightStore& store) {
  Tensors tensors;
  for (const std::string& name : store.names()) tensors.emplace(name, store.get(name));
  return tensors;
}

struct ExportedModel {
  Tensors tensors;  // original names
  nlohmann::ordered_json description;
  Metadata metadata = {{"format", "pt"}, {"producer", "a test"}};

  ExportedModel() {
    description["model_quant_type"] = "W4A4_MXFP4";
    description["version"] = "1.0.0";
    const Json config = parse_json(kSmallConfig, "config");
    for (const auto& tensor : wan_dit::tensors_of(wan_dit::parse_config(config, "config")))
      put(to_original_name(tensor.name), "FLOAT", DType::bf16, tensor.shape);
    for (const char* rotation : {"blocks.0.self_attn.q_rot", "blocks.0.self_attn.k_rot"})
      tensors[rotation] = patterned(rotation, DType::f32, {32, 32});
    quantize("blocks.0.self_attn.q", "W4A4_MXFP4_DUALSCALE", true);
    quantize("blocks.0.self_attn.k", "W4A4_MXFP4", false);
    quantize("blocks.0.ffn.2", "W4A4_MXFP4_DUALSCALE", false);
    quantize("blocks.0.ffn.0", "W8A8_MXFP8", false);
    quantize("blocks.1.cross_attn.q", "W8A8", false);
    quantize("blocks.1.cross_attn.v_img", "W8A8_DYNAMIC", false);
    quantize("blocks.1.ffn.2", "W4A4_DYNAMIC", false);
    quantize("head.head", "W8A8_MXFP8", true);
    description["mxfp4_dst_type_max"] = 7.25;
    description["metadata"] = {{"z", 1}, {"a", {"kept", nullptr}}};
  }

  void put(const std::string& name, const std::string& type, DType dtype, const Shape& shape) {
    tensors[name] = patterned(name, dtype, shape);
    description[name] = type;
  }
  void erase(const std::string& name) {
    tensors.erase(name);
    description.erase(name);
  }
  void quantize(const std::string& layer, const std::string& type, bool wrapped) {
    const Shape shape = tensors.at(layer + ".weight").shape();
    const Shape bias = tensors.at(layer + ".bias").shape();
    erase(layer + ".weight");
    erase(layer + ".bias");
    const std::string inside = layer + (wrapped ? ".linear." : ".");
    put(inside + "bias", type, DType::f32, bias);
    const auto stored = layer_tensors(type, shape[0], shape[1]).value();
    for (const LayerTensor& tensor : stored)
      if (tensor.name != "mul_scale")
        put(inside + tensor.name, type, tensor.forms[0].dtypes[0], tensor.forms[0].shape);
    if (wrapped) put(layer + ".div.mul_scale", type, DType::f32, {shape[1]});
  }

  // Two weight files, every second tensor in the other one, and the description.
  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    Tensors halves[2];
    size_t count = 0;
    for (const auto& [name, tensor] : tensors) halves[count++ % 2].emplace(name, tensor);
    write_safetensors(folder / "quant_model_weight_1.safetensors", halves[0], metadata);
    write_safetensors(folder / "quant_model_weight_2.safetensors", halves[1],
                      {{"format", "pt"}, {"second", "2"}});
    std::ofstream(folder / "quant_model_description.json") << description.dump();
  }
};

// A model in diffusers' layout whose own transformer weights are never looked at.
inline void write_original_model(const TemporaryFolder& folder, const std::string& name,
                                 bool two_experts) {
  folder.write(name + "/model_index.json",
               std::string(R"({"_class_name": "WanPipeline",
                  "transformer": ["diffusers", "WanTransformer3DModel"], "transformer_2": )") +
                   (two_experts ? R"(["diffusers", "WanTransformer3DModel"]})" : "[null, null]}"));
  for (const char* expert : {"transformer", "transformer_2"}) {
    if (!two_experts && std::string(expert) == "transformer_2") continue;
    folder.write(name + "/" + expert + "/config.json", kSmallConfig);
    folder.write(name + "/" + expert + "/diffusion_pytorch_model.safetensors", "not read");
  }
  folder.write(name + "/vae/deep/weights.bin", std::string(3 << 20, 'v'));
  folder.write(name + "/vae/transformer/inner.txt", "not a transformer");
  folder.write(name + "/.cache/left.txt", "hidden");
}

}  // namespace mxdit::conversion

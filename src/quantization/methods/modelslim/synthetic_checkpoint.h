// For tests: a checkpoint of one layer as msmodelslim writes it, made from random numbers, with what
// the layer has to compute.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "backend/registry.h"
#include "formats/reference.h"
#include "io/json_file.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "quantization/methods/modelslim/config.h"

namespace mxdit::modelslim {

constexpr const char* kLayer = "blocks.0.attn1.to_q";

inline Tensor random_bf16(const Shape& shape, uint64_t seed, float spread = 1.0f) {
  std::mt19937_64 random(seed);
  Tensor tensor = Tensor::host(DType::bf16, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float unit = static_cast<float>(random() % 20001) / 10000.0f - 1.0f;
    tensor.as_mutable<uint16_t>()[i] = to_bf16(unit * spread).bits;
  }
  return tensor;
}

inline Tensor filled(const Shape& shape, float value) {
  Tensor tensor = Tensor::host(DType::f32, shape);
  std::fill_n(tensor.as_mutable<float>(), tensor.elements(), value);
  return tensor;
}

class SyntheticCheckpoint {
 public:
  // What the description says of the layer, and its extents.
  SyntheticCheckpoint(std::string layer_type, int64_t out_features, int64_t in_features)
      : type(std::move(layer_type)), out(out_features), in(in_features) {
    description = {{"version", "1.0.0"}, {"model_quant_type", type}, {"group_size", 0}};
    put("bias", bias(), "FLOAT");
  }

  void put(const std::string& part, const Tensor& tensor, const std::string& entry_type = "") {
    tensors[kLayer + ("." + part)] = tensor;
    description[kLayer + ("." + part)] = entry_type.empty() ? type : entry_type;
  }
  void drop(const std::string& part) {
    tensors.erase(kLayer + ("." + part));
    description.erase(kLayer + ("." + part));
  }
  Tensor& at(const std::string& part) { return tensors.at(kLayer + ("." + part)); }

  // Weights in a block format, in an E4M3 container if they have four bits and are not `packed`.
  void put_blocks(const QuantFormat& format, bool packed) {
    weight = reference::quantize(random_bf16({out, in}, 3), format);
    put("weight", packed || format.element->bits == 8 ? weight.elements : container());
    Tensor codes = Tensor::host(DType::u8, {out, in / 32});
    const int64_t padded = weight.block_scale.dim(1) * 2;
    for (int64_t row = 0; row < out; ++row)
      for (int64_t i = 0; i < in / 32; ++i)
        codes.as_mutable<uint8_t>()[row * (in / 32) + i] =
            weight.block_scale.as<uint8_t>()[row * padded + i];
    put("weight_scale", codes);
    if (weight.scale.defined())
      put("weight_dual_scale", weight.scale.reshape({out, in / 512, 1}));
  }

  // int8 or int4 with a scale per row.
  void put_rows(const QuantFormat& format) {
    weight = reference::quantize(random_bf16({out, in}, 3), format);
    put("weight", weight.elements);
    put("weight_scale", weight.scale);
    put("weight_offset", filled({out, 1}, 0.0f));
  }

  // The static form of put_rows(kInt8Row), for inputs q = x / scale + offset.
  void put_static(float scale, float offset) {
    put_rows(kInt8Row);
    put("input_scale", filled({1}, scale));
    put("input_offset", filled({1}, offset));
    Tensor deq = Tensor::host(DType::f32, {out});
    Tensor quant_bias = Tensor::host(DType::i32, {out});
    for (int64_t n = 0; n < out; ++n) {
      deq.as_mutable<float>()[n] = weight.scale.as<float>()[n] * scale;
      double sum = 0;
      for (int64_t k = 0; k < in; ++k)
        sum += static_cast<const int8_t*>(weight.elements.data())[n * in + k];
      quant_bias.as_mutable<int32_t>()[n] = static_cast<int32_t>(
          std::lround(bias().as<float>()[n] / deq.as<float>()[n] - offset * sum));
    }
    put("deq_scale", deq);
    put("quant_bias", quant_bias);
  }

  Tensor bias() const {
    Tensor tensor = Tensor::host(DType::f32, {out});
    for (int64_t n = 0; n < out; ++n) tensor.as_mutable<float>()[n] = 0.25f * static_cast<float>(n % 7) - 0.5f;
    return tensor;
  }

  void write() {
    store.reset();
    write_safetensors(*folder / "model.safetensors", tensors);
    store.emplace(WeightStore::open(*folder / "model.safetensors"));
  }
  std::string file() const { return (*folder / "model.safetensors").string(); }
  std::string description_file() const { return (*folder / "quant_model_description.json").string(); }

  std::unique_ptr<QuantConfig> config(std::shared_ptr<const StepClock> clock = nullptr) const {
    ConfigArguments arguments;
    arguments.declaration = &description;
    arguments.declared_in = description_file();
    arguments.weights = &*store;
    arguments.clock = std::move(clock);
    return make_config(arguments);
  }
  LinearSource source() const { return {&*store, kLayer}; }
  // Writes, opens, plans and loads.
  std::unique_ptr<PreparedLinear> load(std::shared_ptr<const StepClock> clock = nullptr) {
    write();
    return config(std::move(clock))
        ->plan(kLayer, out, in)
        .method->prepare(*backend, source(), out, in);
  }
  LinearInfo describe() {
    write();
    return config()->plan(kLayer, out, in).method->describe(*backend, source(), out, in);
  }

 private:
  Tensor container() const {
    Tensor tensor = Tensor::host(DType::f8_e4m3, {out, in});
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      const uint8_t byte = weight.elements.as<uint8_t>()[i / 2];
      const float value = e2m1_to_float(i % 2 == 0 ? byte & 0xf : byte >> 4);
      tensor.as_mutable<uint8_t>()[i] = to_e4m3(value);
    }
    return tensor;
  }

 public:
  std::string type;
  int64_t out, in;
  std::shared_ptr<TemporaryFolder> folder = std::make_shared<TemporaryFolder>();
  std::map<std::string, Tensor> tensors;
  Json description;
  QuantizedMatrix weight;
  std::optional<WeightStore> store;
  std::shared_ptr<Backend> backend = make_backend("cpu", {1, ""});
};

}  // namespace mxdit::modelslim

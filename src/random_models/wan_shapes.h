// The shapes of Wan models as data: configurations as diffusers writes them, and the name, extents
// and statistics of every tensor.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/shape.h"

namespace mxdit::random_models {

struct TransformerShape {
  int64_t heads, head_dim, ffn_dim, layers, text_dim;
  int64_t channels = 16;
  int64_t freq_dim = 256;
  int64_t inner() const { return heads * head_dim; }
};

struct TextEncoderShape {
  int64_t d_model, d_kv, heads, d_ff, layers;
  int64_t vocabulary = 0;
};

struct VaeShape {
  int64_t base_dim, res_blocks;
  int64_t z_dim = 16;
};

struct WanShape {
  std::string name;
  TransformerShape transformer;
  TextEncoderShape text_encoder;
  VaeShape vae;
  std::optional<double> boundary_ratio;  // set: two experts
};

// Names of all shapes, and the shape of one; nothing for another name.
std::vector<std::string> wan_shape_names();
std::optional<WanShape> find_wan_shape(const std::string& name);

// A tensor of random values with this mean and standard deviation.
struct RandomTensor {
  std::string name;
  Shape shape;
  float mean;
  float deviation;
};

std::vector<RandomTensor> tensors_of(const TransformerShape& shape);
std::vector<RandomTensor> tensors_of(const TextEncoderShape& shape);
std::vector<RandomTensor> tensors_of(const VaeShape& shape);

nlohmann::ordered_json config_of(const TransformerShape& shape);
nlohmann::ordered_json config_of(const TextEncoderShape& shape);
nlohmann::ordered_json config_of(const VaeShape& shape);
nlohmann::ordered_json scheduler_config();
nlohmann::ordered_json model_index_of(const WanShape& shape, const std::string& tokenizer_class);

}  // namespace mxdit::random_models

#include "models/wan_dit/tensor_names.h"

#include <algorithm>

namespace mxdit::wan_dit {

namespace {

class TensorList {
 public:
  void add(const std::string& name, Shape shape) {
    tensors_.push_back({name, std::move(shape), false});
  }
  void linear(const std::string& name, int64_t out, int64_t in) {
    tensors_.push_back({name + ".weight", {out, in}, true});
    add(name + ".bias", {out});
  }
  void layer_norm(const std::string& name, int64_t width) {
    add(name + ".weight", {width});
    add(name + ".bias", {width});
  }
  void rms_norm(const std::string& name, int64_t width) { add(name + ".weight", {width}); }
  std::vector<ModelTensor> take() { return std::move(tensors_); }

 private:
  std::vector<ModelTensor> tensors_;
};

void add_attention(TensorList& list, const std::string& name, int64_t dim) {
  for (const char* part : {".to_q", ".to_k", ".to_v", ".to_out.0"})
    list.linear(name + part, dim, dim);
  list.rms_norm(name + ".norm_q", dim);
  list.rms_norm(name + ".norm_k", dim);
}

void add_image_projections(TensorList& list, const std::string& name, int64_t dim, int64_t from) {
  list.linear(name + ".add_k_proj", dim, from);
  list.linear(name + ".add_v_proj", dim, from);
  list.rms_norm(name + ".norm_added_k", dim);
}

void add_block(TensorList& list, const std::string& name, const Config& config) {
  const int64_t dim = config.inner();
  add_attention(list, name + ".attn1", dim);
  add_attention(list, name + ".attn2", dim);
  if (config.added_kv_proj_dim)
    add_image_projections(list, name + ".attn2", dim, *config.added_kv_proj_dim);
  if (config.cross_attn_norm) list.layer_norm(name + ".norm2", dim);
  list.linear(name + ".ffn.net.0.proj", config.ffn_dim, dim);
  list.linear(name + ".ffn.net.2", dim, config.ffn_dim);
  list.add(name + ".scale_shift_table", {1, 6, dim});
}

void add_image_embedder(TensorList& list, const std::string& name, const Config& config) {
  const int64_t width = *config.image_dim;
  if (config.pos_embed_seq_len)
    list.add(name + ".pos_embed", {1, *config.pos_embed_seq_len, width});
  list.layer_norm(name + ".norm1", width);
  list.linear(name + ".ff.net.0.proj", width, width);
  list.linear(name + ".ff.net.2", config.inner(), width);
  list.layer_norm(name + ".norm2", config.inner());
}

void add_embedders(TensorList& list, const Config& config) {
  const int64_t dim = config.inner();
  const std::string name = "condition_embedder.";
  list.linear(name + "time_embedder.linear_1", dim, config.freq_dim);
  list.linear(name + "time_embedder.linear_2", dim, dim);
  list.linear(name + "time_proj", 6 * dim, dim);
  list.linear(name + "text_embedder.linear_1", dim, config.text_dim);
  list.linear(name + "text_embedder.linear_2", dim, dim);
  if (config.image_dim) add_image_embedder(list, name + "image_embedder", config);
}

}  // namespace

std::vector<ModelTensor> tensors_of(const Config& config) {
  const auto& [frames, height, width] = config.patch_size;
  const int64_t dim = config.inner();
  TensorList list;
  list.add("patch_embedding.weight", {dim, config.in_channels, frames, height, width});
  list.add("patch_embedding.bias", {dim});
  add_embedders(list, config);
  for (int64_t i = 0; i < config.num_layers; ++i)
    add_block(list, "blocks." + std::to_string(i), config);
  list.add("scale_shift_table", {1, 2, dim});
  list.linear("proj_out", config.out_channels * config.patch_volume(), dim);
  return list.take();
}

bool is_ignorable_tensor(const std::string& name) {
  return std::any_of(kIgnorable.begin(), kIgnorable.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

}  // namespace mxdit::wan_dit

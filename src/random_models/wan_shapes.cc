#include "random_models/wan_shapes.h"

#include <cmath>

namespace mxdit::random_models {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kDiffusersVersion = "0.35.0";
constexpr TextEncoderShape kUmt5Xxl{4096, 64, 64, 10240, 1};
constexpr int64_t kMultipliers[] = {1, 2, 4, 4};
constexpr int64_t kVaeStages = 4;
constexpr bool kTemporalDownsample[] = {false, true, true};

// Collects tensors; deviations keep the variance of activations, and norms start at one.
class TensorList {
 public:
  void add(const std::string& name, const Shape& shape, float mean, float deviation) {
    tensors_.push_back({name, shape, mean, deviation});
  }
  void ones(const std::string& name, const Shape& shape) { add(name, shape, 1.0f, 0.02f); }
  void matrix(const std::string& name, const Shape& shape, double extra_fan_in = 1) {
    double fan_in = extra_fan_in;
    for (int axis = 1; axis < shape.rank(); ++axis) fan_in *= static_cast<double>(shape[axis]);
    add(name, shape, 0.0f, static_cast<float>(1 / std::sqrt(fan_in)));
  }
  // A linear or a convolution with bias; `kernel` are the extents behind out and in.
  void layer(const std::string& name, int64_t out, int64_t in, std::vector<int64_t> kernel = {}) {
    kernel.insert(kernel.begin(), {out, in});
    matrix(name + ".weight", Shape(std::move(kernel)));
    add(name + ".bias", {out}, 0.0f, 0.02f);
  }
  std::vector<RandomTensor> take() { return std::move(tensors_); }

 private:
  std::vector<RandomTensor> tensors_;
};

void add_attention(TensorList& list, const std::string& name, int64_t dim) {
  for (const char* part : {".to_q", ".to_k", ".to_v", ".to_out.0"})
    list.layer(name + part, dim, dim);
  list.ones(name + ".norm_q.weight", {dim});
  list.ones(name + ".norm_k.weight", {dim});
}

void add_block(TensorList& list, const std::string& name, const TransformerShape& shape) {
  const int64_t dim = shape.inner();
  add_attention(list, name + ".attn1", dim);
  add_attention(list, name + ".attn2", dim);
  list.ones(name + ".norm2.weight", {dim});
  list.add(name + ".norm2.bias", {dim}, 0.0f, 0.02f);
  list.layer(name + ".ffn.net.0.proj", shape.ffn_dim, dim);
  list.layer(name + ".ffn.net.2", dim, shape.ffn_dim);
  list.matrix(name + ".scale_shift_table", {1, 6, dim}, 1.0 / 6);
}

void add_residual(TensorList& list, const std::string& name, int64_t in, int64_t out) {
  list.ones(name + ".norm1.gamma", {in, 1, 1, 1});
  list.layer(name + ".conv1", out, in, {3, 3, 3});
  list.ones(name + ".norm2.gamma", {out, 1, 1, 1});
  list.layer(name + ".conv2", out, out, {3, 3, 3});
  if (in != out) list.layer(name + ".conv_shortcut", out, in, {1, 1, 1});
}

void add_middle(TensorList& list, const std::string& name, int64_t dim) {
  add_residual(list, name + ".resnets.0", dim, dim);
  list.ones(name + ".attentions.0.norm.gamma", {dim, 1, 1});
  list.layer(name + ".attentions.0.to_qkv", 3 * dim, dim, {1, 1});
  list.layer(name + ".attentions.0.proj", dim, dim, {1, 1});
  add_residual(list, name + ".resnets.1", dim, dim);
}

void add_encoder(TensorList& list, const VaeShape& shape) {
  list.layer("encoder.conv_in", shape.base_dim, 3, {3, 3, 3});
  int64_t dim = shape.base_dim;
  int64_t place = 0;  // residual blocks and downsampling share one list
  const auto next = [&] { return "encoder.down_blocks." + std::to_string(place++); };
  for (int64_t stage = 0; stage < kVaeStages; ++stage) {
    const int64_t out = shape.base_dim * kMultipliers[stage];
    for (int64_t i = 0; i < shape.res_blocks; ++i, dim = out) add_residual(list, next(), dim, out);
    if (stage + 1 == kVaeStages) break;
    const std::string name = next();
    list.layer(name + ".resample.1", out, out, {3, 3});
    if (kTemporalDownsample[stage]) list.layer(name + ".time_conv", out, out, {3, 1, 1});
  }
  add_middle(list, "encoder.mid_block", dim);
  list.ones("encoder.norm_out.gamma", {dim, 1, 1, 1});
  list.layer("encoder.conv_out", 2 * shape.z_dim, dim, {3, 3, 3});
}

void add_decoder(TensorList& list, const VaeShape& shape) {
  int64_t dim = shape.base_dim * kMultipliers[kVaeStages - 1];
  list.layer("decoder.conv_in", dim, shape.z_dim, {3, 3, 3});
  add_middle(list, "decoder.mid_block", dim);
  for (int64_t stage = 0; stage < kVaeStages; ++stage) {
    const std::string name = "decoder.up_blocks." + std::to_string(stage);
    const int64_t out = shape.base_dim * kMultipliers[kVaeStages - 1 - stage];
    for (int64_t i = 0; i <= shape.res_blocks; ++i, dim = out)
      add_residual(list, name + ".resnets." + std::to_string(i), dim, out);
    if (stage + 1 == kVaeStages) break;
    dim = out / 2;  // upsampling halves the channels
    list.layer(name + ".upsamplers.0.resample.1", dim, out, {3, 3});
    if (kTemporalDownsample[kVaeStages - 2 - stage])
      list.layer(name + ".upsamplers.0.time_conv", 2 * out, out, {3, 1, 1});
  }
  list.ones("decoder.norm_out.gamma", {dim, 1, 1, 1});
  list.layer("decoder.conv_out", 3, dim, {3, 3, 3});
}

std::vector<WanShape> all_shapes() {
  const VaeShape real_vae{96, 2};
  return {{"wan2.1-t2v-1.3b", {12, 128, 8960, 30, 4096}, kUmt5Xxl, real_vae, std::nullopt},
          {"wan2.2-t2v-a14b-block", {40, 128, 13824, 1, 4096}, kUmt5Xxl, real_vae, 0.875},
          {"tiny", {2, 128, 768, 2, 128}, {128, 32, 4, 256, 2}, {16, 1}, std::nullopt}};
}

}  // namespace

std::vector<std::string> wan_shape_names() {
  std::vector<std::string> names;
  for (const WanShape& shape : all_shapes()) names.push_back(shape.name);
  return names;
}

std::optional<WanShape> find_wan_shape(const std::string& name) {
  for (const WanShape& shape : all_shapes())
    if (shape.name == name) return shape;
  return std::nullopt;
}

std::vector<RandomTensor> tensors_of(const TransformerShape& shape) {
  const int64_t dim = shape.inner();
  TensorList list;
  list.layer("patch_embedding", dim, shape.channels, {1, 2, 2});
  list.layer("condition_embedder.time_embedder.linear_1", dim, shape.freq_dim);
  list.layer("condition_embedder.time_embedder.linear_2", dim, dim);
  list.layer("condition_embedder.time_proj", 6 * dim, dim);
  list.layer("condition_embedder.text_embedder.linear_1", dim, shape.text_dim);
  list.layer("condition_embedder.text_embedder.linear_2", dim, dim);
  for (int64_t i = 0; i < shape.layers; ++i) add_block(list, "blocks." + std::to_string(i), shape);
  list.matrix("scale_shift_table", {1, 2, dim}, 0.5);
  list.layer("proj_out", 4 * shape.channels, dim);
  return list.take();
}

std::vector<RandomTensor> tensors_of(const TextEncoderShape& shape) {
  const int64_t inner = shape.heads * shape.d_kv;
  TensorList list;
  list.add("shared.weight", {shape.vocabulary, shape.d_model}, 0.0f, 1.0f);
  for (int64_t i = 0; i < shape.layers; ++i) {
    const std::string block = "encoder.block." + std::to_string(i);
    const std::string attention = block + ".layer.0.SelfAttention";
    const std::string dense = block + ".layer.1.DenseReluDense";
    // T5 does not scale its attention scores; its queries do that.
    list.matrix(attention + ".q.weight", {inner, shape.d_model}, static_cast<double>(shape.d_kv));
    list.matrix(attention + ".k.weight", {inner, shape.d_model});
    list.matrix(attention + ".v.weight", {inner, shape.d_model});
    list.matrix(attention + ".o.weight", {shape.d_model, inner});
    list.add(attention + ".relative_attention_bias.weight", {32, shape.heads}, 0.0f, 0.5f);
    list.ones(block + ".layer.0.layer_norm.weight", {shape.d_model});
    list.matrix(dense + ".wi_0.weight", {shape.d_ff, shape.d_model});
    list.matrix(dense + ".wi_1.weight", {shape.d_ff, shape.d_model});
    list.matrix(dense + ".wo.weight", {shape.d_model, shape.d_ff});
    list.ones(block + ".layer.1.layer_norm.weight", {shape.d_model});
  }
  list.ones("encoder.final_layer_norm.weight", {shape.d_model});
  return list.take();
}

std::vector<RandomTensor> tensors_of(const VaeShape& shape) {
  TensorList list;
  add_encoder(list, shape);
  list.layer("quant_conv", 2 * shape.z_dim, 2 * shape.z_dim, {1, 1, 1});
  list.layer("post_quant_conv", shape.z_dim, shape.z_dim, {1, 1, 1});
  add_decoder(list, shape);
  return list.take();
}

OrderedJson config_of(const TransformerShape& shape) {
  return {{"_class_name", "WanTransformer3DModel"},
          {"_diffusers_version", kDiffusersVersion},
          {"added_kv_proj_dim", nullptr},
          {"attention_head_dim", shape.head_dim},
          {"cross_attn_norm", true},
          {"eps", 1e-06},
          {"ffn_dim", shape.ffn_dim},
          {"freq_dim", shape.freq_dim},
          {"image_dim", nullptr},
          {"in_channels", shape.channels},
          {"num_attention_heads", shape.heads},
          {"num_layers", shape.layers},
          {"out_channels", shape.channels},
          {"patch_size", {1, 2, 2}},
          {"qk_norm", "rms_norm_across_heads"},
          {"rope_max_seq_len", 1024},
          {"text_dim", shape.text_dim}};
}

OrderedJson config_of(const TextEncoderShape& shape) {
  return {{"architectures", OrderedJson::array({"UMT5EncoderModel"})},
          {"d_ff", shape.d_ff},
          {"d_kv", shape.d_kv},
          {"d_model", shape.d_model},
          {"dense_act_fn", "gelu_new"},
          {"dropout_rate", 0.1},
          {"eos_token_id", 1},
          {"feed_forward_proj", "gated-gelu"},
          {"is_encoder_decoder", true},
          {"is_gated_act", true},
          {"layer_norm_epsilon", 1e-06},
          {"model_type", "umt5"},
          {"num_decoder_layers", shape.layers},
          {"num_heads", shape.heads},
          {"num_layers", shape.layers},
          {"pad_token_id", 0},
          {"relative_attention_max_distance", 128},
          {"relative_attention_num_buckets", 32},
          {"torch_dtype", "bfloat16"},
          {"vocab_size", shape.vocabulary}};
}

OrderedJson config_of(const VaeShape& shape) {
  return {{"_class_name", "AutoencoderKLWan"},
          {"_diffusers_version", kDiffusersVersion},
          {"attn_scales", OrderedJson::array()},
          {"base_dim", shape.base_dim},
          {"dim_mult", kMultipliers},
          {"dropout", 0.0},
          {"latents_mean",
           {-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715,
            0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921}},
          {"latents_std",
           {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652,
            1.5579, 1.6382, 1.1253, 2.8251, 1.916}},
          {"num_res_blocks", shape.res_blocks},
          {"temperal_downsample", kTemporalDownsample},
          {"z_dim", shape.z_dim}};
}

OrderedJson scheduler_config() {
  return {{"_class_name", "UniPCMultistepScheduler"},
          {"_diffusers_version", kDiffusersVersion},
          {"beta_end", 0.02},
          {"beta_schedule", "linear"},
          {"beta_start", 0.0001},
          {"disable_corrector", OrderedJson::array()},
          {"dynamic_thresholding_ratio", 0.995},
          {"final_sigmas_type", "zero"},
          {"flow_shift", 3.0},
          {"lower_order_final", true},
          {"num_train_timesteps", 1000},
          {"predict_x0", true},
          {"prediction_type", "flow_prediction"},
          {"rescale_betas_zero_snr", false},
          {"sample_max_value", 1.0},
          {"solver_order", 2},
          {"solver_p", nullptr},
          {"solver_type", "bh2"},
          {"steps_offset", 0},
          {"thresholding", false},
          {"timestep_spacing", "linspace"},
          {"trained_betas", nullptr},
          {"use_beta_sigmas", false},
          {"use_exponential_sigmas", false},
          {"use_flow_sigmas", true},
          {"use_karras_sigmas", false}};
}

OrderedJson model_index_of(const WanShape& shape, const std::string& tokenizer_class) {
  const auto pair = [](const char* library, const std::string& class_name) {
    return OrderedJson::array({library, class_name});
  };
  const auto transformer = pair("diffusers", "WanTransformer3DModel");
  const bool two = shape.boundary_ratio.has_value();
  return {{"_class_name", "WanPipeline"},
          {"_diffusers_version", kDiffusersVersion},
          {"boundary_ratio", two ? OrderedJson(*shape.boundary_ratio) : OrderedJson()},
          {"expand_timesteps", false},
          {"scheduler", pair("diffusers", "UniPCMultistepScheduler")},
          {"text_encoder", pair("transformers", "UMT5EncoderModel")},
          {"tokenizer", pair("transformers", tokenizer_class)},
          {"transformer", transformer},
          {"transformer_2", two ? transformer : OrderedJson::array({nullptr, nullptr})},
          {"vae", pair("diffusers", "AutoencoderKLWan")}};
}

}  // namespace mxdit::random_models

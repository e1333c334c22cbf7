#include "models/wan_dit/transformer.h"

#include "core/error.h"
#include "layers/parameters.h"
#include "layers/tensor_use.h"
#include "models/layer_count.h"
#include "models/wan_dit/rope.h"
#include "models/wan_dit/tensor_names.h"
#include "ops/ops.h"

namespace mxdit::wan_dit {

namespace {

// Angles of the tokens of one grid, on the device. They stay from step to step, so that a step
// copies nothing but its time embedding from the host.
struct DeviceAngles {
  Grid grid{};
  Tensor cos, sin;  // f32 [tokens, head_size / 2]
};

struct Context final : TextContext {
  const Transformer* model = nullptr;
  int64_t batch = 0;
  std::string key;  // of the precision the blocks' keys and values were computed in
  std::vector<ContextKeys> blocks;
  mutable DeviceAngles angles;  // of the last forward
};

const DeviceAngles& angles_of(Backend& backend, const Context& context, const Grid& grid,
                              int64_t head_size) {
  DeviceAngles& angles = context.angles;
  if (angles.cos.defined() && angles.grid == grid) return angles;
  const RopeAngles host = rope_angles(grid, head_size);
  angles = {grid, backend.from_host(host.cos), backend.from_host(host.sin)};
  return angles;
}

}  // namespace

Transformer::Transformer(const ModelSource& given)
    : backend_(*given.backend),
      compute_(given.compute),
      config_(parse_config(*given.config, given.config_file)) {
  TensorUse use;
  ModelSource source = given;
  source.use = &use;
  load(source);
  unused_ = use.unused(*source.weights, kIgnorable);
}

void Transformer::load(const ModelSource& source) {
  check_layer_count(source, "num_layers", "blocks", config_.num_layers);
  patch_embedding_ = std::make_unique<PatchEmbedding>(source, "patch_embedding", config_);
  embedding_ = std::make_unique<TimeTextEmbedding>(source.unquantized(), "condition_embedder", config_);
  for (int64_t i = 0; i < config_.num_layers; ++i)
    blocks_.emplace_back(source, "blocks." + std::to_string(i), config_);
  output_modulation_ = load_parameter(source, "scale_shift_table", {1, 2, config_.inner()})
                           .reshape({2, config_.inner()});
  projection_ =
      std::make_unique<Linear>(source, "proj_out", config_.out_channels * config_.patch_volume(),
                               config_.inner(), Bias::required);
}

void Transformer::check_input(const DenoiserInput& input) const {
  const Tensor& latents = input.latents;
  MXDIT_CHECK(latents.defined() && latents.shape().rank() == 5,
              "[models] wan_dit latents: expected [B, C, F, H, W], got ", latents.shape());
  if (latents.dim(1) != config_.in_channels)
    fail(ErrorKind::usage, "[models] wan_dit latents: expected ", config_.in_channels,
         " channels (in_channels), got ", latents.shape());
  const int64_t per_row =
      input.timestep_per_token ? tokens(patch_grid(latents.shape(), config_)) : 1;
  const int64_t expected = latents.dim(0) * per_row;
  MXDIT_CHECK(expected > 0 && static_cast<int64_t>(input.timesteps.size()) == expected,
              "[models] wan_dit timesteps: expected ", expected, " for latents ", latents.shape(),
              ", got ", input.timesteps.size());
}

// [.., I, image_dim] -> [batch, I, D]. A model with image projections also runs without an image;
// the result is undefined then.
Tensor Transformer::embed_image(const Tensor& image, int64_t batch) const {
  if (!image.defined()) return Tensor();
  const auto& embedding = embedding_->image();
  if (!embedding)
    fail(ErrorKind::usage, "[models] wan_dit image: expected none (image_dim is not set), got an ",
         "image embedding ", image.shape());
  if (image.shape().rank() != 3 || image.dim(2) != *config_.image_dim)
    fail(ErrorKind::usage, "[models] wan_dit image: expected [B, I, ", *config_.image_dim,
         "], got ", image.shape());
  const Tensor embedded = (*embedding)(ops::cast(backend_, image, compute_));
  if (embedded.dim(0) != batch)
    fail(ErrorKind::usage, "[models] wan_dit image: expected a batch of ", batch, ", got ",
         embedded.dim(0), " from ", image.shape());
  return embedded;
}

std::shared_ptr<const TextContext> Transformer::encode_context(const Tensor& text,
                                                               const Tensor& image) const {
  MXDIT_CHECK(text.defined() && text.shape().rank() == 3,
              "[models] wan_dit text: expected [B, L, text_dim], got ", text.shape());
  if (text.dim(2) != config_.text_dim)
    fail(ErrorKind::usage, "[models] wan_dit text: expected [B, L, ", config_.text_dim, "], got ",
         text.shape());
  auto context = std::make_shared<Context>();
  context->model = this;
  context->batch = text.dim(0);
  context->key = context_key();
  Tensor embedded = embedding_->text(ops::cast(backend_, text, compute_));
  Tensor embedded_image = embed_image(image, text.dim(0));
  // diffusers joins image and prompt and takes the last 512 tokens for the prompt, the length its
  // pipeline pads to; here they are never joined, which is the same for such prompts.
  // Without projections of its own the image is read as tokens in front of the prompt.
  if (embedded_image.defined() && !config_.added_kv_proj_dim) {
    const std::array<Tensor, 2> parts = {embedded_image, embedded};
    embedded = ops::concat(backend_, parts, 1);
    embedded_image = Tensor();
  }
  for (const Block& block : blocks_)
    context->blocks.push_back(block.cross_attention().keys(embedded, embedded_image));
  return context;
}

// Encodings are named by all that decides them, so equal names mean equal keys and values.
std::string Transformer::context_key() const {
  std::string key;
  for (const Block& block : blocks_) key += block.cross_attention().keys_encoding() + "\n";
  return key;
}

bool Transformer::is_current(const TextContext& context) const {
  const auto* own = dynamic_cast<const Context*>(&context);
  return own != nullptr && own->model == this && own->key == context_key();
}

Tensor Transformer::output(Residual& x, const Conditioning& conditioning) const {
  const Tensor shift = conditioning.output_modulation(backend_, output_modulation_, 0);
  const Tensor scale = conditioning.output_modulation(backend_, output_modulation_, 1);
  return (*projection_)({x, LayerNormParams::modulation(shift, scale, config_.eps)});
}

Tensor Transformer::forward(const DenoiserInput& input, const CancelToken* cancel) const {
  check_input(input);
  const Grid grid = patch_grid(input.latents.shape(), config_);
  const int64_t batch = input.latents.dim(0);
  check_cancelled(cancel);
  const auto shared = input.context ? input.context : encode_context(input.text, input.image);
  const auto* context = dynamic_cast<const Context*>(shared.get());
  MXDIT_CHECK(context != nullptr && context->model == this && context->batch == batch,
              "[models] wan_dit context: expected one of this model for a batch of ", batch);

  const TimestepRows rows(backend_, input.timesteps, batch);
  const Conditioning conditioning = embedding_->time(rows);
  const DeviceAngles& angles = angles_of(backend_, *context, grid, config_.attention_head_dim);
  Residual x(backend_, (*patch_embedding_)(ops::cast(backend_, input.latents, compute_), grid));
  for (size_t i = 0; i < blocks_.size(); ++i) {
    check_cancelled(cancel);
    blocks_[i](x, conditioning, context->blocks[i], angles.cos, angles.sin);
  }
  return unpatchify(backend_, output(x, conditioning), grid, config_);
}

}  // namespace mxdit::wan_dit

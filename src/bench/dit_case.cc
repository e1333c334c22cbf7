#include "bench/measured_case.h"
#include "bench/operations.h"
#include "bench/random_component.h"
#include "bench/token_grid.h"
#include "core/error.h"
#include "engine/checkpoint_options.h"
#include "models/registry.h"
#include "quantization/resolve.h"

namespace mxdit {
namespace bench {
namespace {

// Wan's VAE: pixels to latents.
constexpr int64_t kScaleSpatial = 8, kScaleTemporal = 4;

ComponentFiles transformer_files(const DitCase& subject, const CancelToken* cancel) {
  if (subject.model_path.empty()) {
    random_models::TransformerShape shape = shape_called(subject.shape).transformer;
    check_size("--layers", subject.layers, 0, 1000);
    if (subject.layers > 0) shape.layers = subject.layers;
    return random_component(shape, cancel);
  }
  if (!subject.shape.empty() || subject.layers != 0)
    fail(ErrorKind::usage,
         "[bench] --model-path: expected neither --shape nor --layers beside it, ", "got ",
         subject.shape.empty() ? "--layers" : "--shape");
  return stored_component(subject.model_path, "transformer");
}

// Latent frames, height and width.
std::array<int64_t, 3> latent_extents(const DitCase& subject, const wan_dit::Config& config) {
  const auto& patch = config.patch_size;
  if (subject.tokens != 0) {
    check_size("--tokens", subject.tokens, 1, int64_t{1} << 20);
    const auto grid = token_grid(subject.tokens, config.rope_max_seq_len);
    return {grid[0] * patch[0], grid[1] * patch[1], grid[2] * patch[2]};
  }
  check_size("--num-frames", subject.num_frames, 1, 100000);
  if ((subject.num_frames - 1) % kScaleTemporal != 0)
    fail(ErrorKind::usage, "[bench] --num-frames: expected 1 more than a multiple of ",
         kScaleTemporal, ", got ", subject.num_frames);
  const auto extent = [](const char* flag, int64_t pixels, int64_t size) {
    const int64_t unit = kScaleSpatial * size;
    check_size(flag, pixels, unit, 16384);
    if (pixels % unit != 0)
      fail(ErrorKind::usage, "[bench] ", flag, ": expected a multiple of ", unit, ", got ", pixels);
    return pixels / kScaleSpatial;
  };
  return {(subject.num_frames - 1) / kScaleTemporal + 1,
          extent("--height", subject.height, patch[1]), extent("--width", subject.width, patch[2])};
}

class DitForward final : public MeasuredCase {
 public:
  DitForward(const DitCase& subject, const BenchOptions& options, const CancelToken* cancel)
      : MeasuredCase("dit", options),
        encode_text_(subject.encode_text),
        attention_(parse_attention_precision(options.attention_precision)) {
    check_size("--text-tokens", subject.text_tokens, 1, int64_t{1} << 16);
    // Sizes of random models are known before their weights are made, so that they are refused
    // first.
    if (subject.model_path.empty())
      latent_extents(subject,
                     wan_dit::parse_config(
                         Json::parse(config_of(shape_called(subject.shape).transformer).dump()),
                         "random weights"));
    files_ = std::make_unique<ComponentFiles>(transformer_files(subject, cancel));
    load();
    const wan_dit::Config config = wan_dit::parse_config(files_->config, files_->config_file);
    make_input(latent_extents(subject, config), subject.text_tokens, config.text_dim);
    describe(subject, config);
  }

 protected:
  BenchSample measure(const CancelToken* cancel) override {
    Tensor velocity;
    if (!encode_text_)
      return {timed(backend(), [&] { velocity = model_->forward(input_, cancel); }), {}};
    DenoiserInput input = input_;
    const double text =
        timed(backend(), [&] { input.context = model_->encode_context(input.text, Tensor()); });
    const double rest = timed(backend(), [&] { velocity = model_->forward(input, cancel); });
    return {text + rest, {{"encode_text", text}, {"forward", rest}}};
  }

 private:
  void load() {
    QuantizationSubject part;
    part.component = "transformer";
    part.folder = files_->folder;
    part.config = &files_->config;
    part.config_file = files_->config_file;
    part.weights = &files_->weights;
    quantization_ = resolve_quantization({quantization_key(), {}, ""}, part);
    const std::string name = quantization_.config->name();
    own_facts().quantization = name == plain_quantization().name() ? "none" : name;
    ModelSource source;
    source.backend = &backend();
    source.weights = &files_->weights;
    source.config = &files_->config;
    source.config_file = files_->config_file;
    source.quantization = quantization_.config.get();
    source.compute = compute();
    source.attention = attention_;
    model_ = make_denoiser(files_->class_name, source);
  }

  void make_input(const std::array<int64_t, 3>& extents, int64_t text_tokens, int64_t text_dim) {
    input_.latents = random_tensor(
        backend(), compute(), {1, model_->in_channels(), extents[0], extents[1], extents[2]}, 1);
    input_.timesteps = {500.0f};
    input_.text = random_tensor(backend(), compute(), {1, text_tokens, text_dim}, 2);
    if (!encode_text_) input_.context = model_->encode_context(input_.text, Tensor());
    backend().synchronize();
  }

  void describe(const DitCase& subject, const wan_dit::Config& config) {
    const int64_t tokens = input_.latents.elements() / config.in_channels / config.patch_volume();
    if (subject.model_path.empty())
      parameter("shape", shape_called(subject.shape).name);
    else
      parameter("model_path", subject.model_path);
    parameter("layers", config.num_layers);
    if (subject.tokens == 0) {
      parameter("num_frames", subject.num_frames);
      parameter("height", subject.height);
      parameter("width", subject.width);
    }
    parameter("tokens", tokens);
    parameter("text_tokens", subject.text_tokens);
    parameter("attention_precision",
              attention_ == AttentionPrecision::int8 ? std::string("int8") : std::string("bf16"));
    parameter("encode_text", encode_text_);
    own_facts().operations = forward_operations(config, tokens, subject.text_tokens, encode_text_);
  }

  bool encode_text_;
  AttentionPrecision attention_;
  std::unique_ptr<ComponentFiles> files_;
  ResolvedQuantization quantization_;
  std::unique_ptr<Denoiser> model_;
  DenoiserInput input_;
};

}  // namespace
}  // namespace bench

std::vector<std::string> bench_shape_names() {
  return random_models::wan_shape_names();
}

std::unique_ptr<Benchmark> make_benchmark(const DitCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel) {
  return std::make_unique<bench::DitForward>(subject, options, cancel);
}

}  // namespace mxdit

#include "bench/measured_case.h"
#include "bench/operations.h"
#include "bench/random_component.h"
#include "core/error.h"
#include "models/registry.h"
#include "random_models/random_weights.h"

namespace mxdit {
namespace bench {
namespace {

ComponentFiles vae_files(const VaeCase& subject, const CancelToken* cancel) {
  if (subject.model_path.empty()) return random_component(shape_called(subject.shape).vae, cancel);
  if (!subject.shape.empty())
    fail(ErrorKind::usage, "[bench] --shape: expected none beside --model-path, got ",
         subject.shape);
  return stored_component(subject.model_path, "vae");
}

class VaeDecode final : public MeasuredCase {
 public:
  VaeDecode(const VaeCase& subject, const BenchOptions& options, const CancelToken* cancel)
      : MeasuredCase("vae", options), files_(vae_files(subject, cancel)) {
    if (!quantization_key().empty())
      fail(ErrorKind::usage, "[bench] --quantization: expected none for the VAE, got ",
           quantization_key());
    ModelSource source;
    source.backend = &backend();
    source.weights = &files_.weights;
    source.config = &files_.config;
    source.config_file = files_.config_file;
    source.quantization = &plain_quantization();
    source.compute = compute();
    vae_ = make_autoencoder(files_.class_name, source);
    make_latents(subject);
    if (subject.model_path.empty())
      parameter("shape", shape_called(subject.shape).name);
    else
      parameter("model_path", subject.model_path);
    parameter("num_frames", subject.num_frames);
    parameter("height", subject.height);
    parameter("width", subject.width);
    own_facts().operations =
        decode_operations(wan_vae::parse_config(files_.config, files_.config_file), latents_.dim(2),
                          latents_.dim(3), latents_.dim(4));
  }

 protected:
  BenchSample measure(const CancelToken* cancel) override {
    Tensor frames;
    return {timed(backend(), [&] { frames = vae_->decode(latents_, {}, {}, cancel); }), {}};
  }

 private:
  void make_latents(const VaeCase& subject) {
    const int64_t space = vae_->scale_spatial(), time = vae_->scale_temporal();
    check_size("--num-frames", subject.num_frames, 1, 100000);
    for (const auto& [flag, value] : {std::pair<const char*, int64_t>{"--height", subject.height},
                                      {"--width", subject.width}}) {
      check_size(flag, value, space, 16384);
      if (value % space != 0)
        fail(ErrorKind::usage, "[bench] ", flag, ": expected a multiple of ", space, ", got ",
             value);
    }
    if ((subject.num_frames - 1) % time != 0)
      fail(ErrorKind::usage, "[bench] --num-frames: expected 1 more than a multiple of ", time,
           ", got ", subject.num_frames);
    latents_ =
        Tensor::host(DType::f32, {1, vae_->latent_channels(), (subject.num_frames - 1) / time + 1,
                                  subject.height / space, subject.width / space});
    random_models::fill_random(latents_, 0.0f, 1.0f, 1);
  }

  ComponentFiles files_;
  std::unique_ptr<VideoAutoencoder> vae_;
  Tensor latents_;
};

}  // namespace
}  // namespace bench

std::unique_ptr<Benchmark> make_benchmark(const VaeCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel) {
  return std::make_unique<bench::VaeDecode>(subject, options, cancel);
}

}  // namespace mxdit

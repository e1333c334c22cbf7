// The golden autoencoders of tests/goldens/vae on a back end, for tests.
#pragma once

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>

#include "backend/registry.h"
#include "checkpoint/weight_store.h"
#include "io/json_file.h"
#include "models/wan_vae/autoencoder.h"

namespace mxdit::wan_vae {

inline std::filesystem::path golden_folder(const std::string& variant) {
  return std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens/vae" / variant;
}

inline std::unique_ptr<Backend> cpu_backend(int threads) {
  BackendOptions options;
  options.threads = threads;
  return make_backend("cpu", options);
}

class TestAutoencoder {
 public:
  TestAutoencoder(const std::string& variant, DType compute, std::unique_ptr<Backend> backend)
      : backend_(std::move(backend)),
        config_(read_json_file(golden_folder(variant) / "config.json")),
        weights_(
            WeightStore::open(golden_folder(variant) / "diffusion_pytorch_model.safetensors")) {
    ModelSource source;
    source.backend = backend_.get();
    source.weights = &weights_;
    source.config = &config_;
    source.config_file = "config.json";
    source.compute = compute;
    vae_ = make_wan_autoencoder(source);
  }
  const VideoAutoencoder* operator->() const { return vae_.get(); }
  const Json& config() const { return config_; }

 private:
  std::unique_ptr<Backend> backend_;
  Json config_;
  WeightStore weights_;
  std::unique_ptr<VideoAutoencoder> vae_;
};

// A repeatable clip with values in -1..1 that differ from frame to frame.
inline Tensor wave_clip(const Shape& shape) {
  Tensor clip = Tensor::host(DType::f32, shape);
  for (int64_t i = 0; i < clip.elements(); ++i)
    clip.as_mutable<float>()[i] = std::sin(0.37f * static_cast<float>(i % 1009));
  return clip;
}

}  // namespace mxdit::wan_vae

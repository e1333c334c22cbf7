// The embedded model quantized at load, and from checkpoints that mxdit quantize makes: what has to
// be equal is compared to the bit, what quantizing costs is held against bf16.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "e2e/psnr.h"
#include "io/expect_error.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "mxdit/engine.h"
#include "mxdit/inspect.h"
#include "mxdit/quantize.h"

namespace mxdit {
namespace {

const std::string kModel = std::string(MXDIT_SOURCE_DIR) + "/models/tiny";

class QuantizedModel : public ::testing::Test {
 protected:
  // Final latents of 5 frames and 4 steps.
  Tensor latents(EngineOptions options) {
    if (options.model_path.empty()) options.model_path = kModel;
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_frames = 5;
    request.num_inference_steps = 4;
    request.save_latents_path = folder_ / "latents.safetensors";
    Engine(options).generate(request);
    Tensor result = Tensor::host(DType::f32, {0});
    const SafetensorsFile file = SafetensorsFile::open(request.save_latents_path);
    const Tensor stored = file.get("latents");
    result = Tensor::host(stored.dtype(), stored.shape());
    std::memcpy(result.mutable_data(), stored.data(), stored.bytes());
    return result;
  }
  Tensor online(const std::string& key) {
    EngineOptions options;
    options.quantization = key;
    return latents(options);
  }
  std::string make(const std::string& name, const std::string& type, bool container) {
    QuantizeModelOptions made;
    made.model_path = kModel;
    made.output_path = folder_ / name;
    made.type = type;
    made.container = container;
    made.proj_out = true;
    quantize_model(made, {}, nullptr);
    return made.output_path;
  }
  Tensor stored(const std::string& path) {
    EngineOptions options;
    options.model_path = path;
    return latents(options);
  }

  TemporaryFolder folder_;
};

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

TEST_F(QuantizedModel, StoredDualLevelEqualsOnline) {
  const Tensor expected = online("mxfp4_npu");
  const std::string packed = make("packed", "W4A4_MXFP4_DUALSCALE", false);
  EXPECT_TRUE(equal(stored(packed), expected));
  EXPECT_TRUE(equal(stored(make("container", "W4A4_MXFP4_DUALSCALE", true)), expected));
  EngineOptions replaced;
  replaced.weights_paths = {{"transformer", packed + "/transformer"},
                            {"transformer_2", packed + "/transformer_2"}};
  EXPECT_TRUE(equal(latents(replaced), expected));
}

TEST_F(QuantizedModel, StoredMxfp8EqualsOnline) {
  EXPECT_TRUE(equal(stored(make("mxfp8", "W8A8_MXFP8", false)), online("mxfp8")));
}

TEST_F(QuantizedModel, ContainersEqualPackedWeights) {
  EXPECT_TRUE(equal(stored(make("packed", "W4A4_MXFP4", false)),
                    stored(make("container", "W4A4_MXFP4", true))));
}

TEST_F(QuantizedModel, CacheChangesNothing) {
  const Tensor expected = online("mxfp4_npu");
  EngineOptions options;
  options.quantization = "mxfp4_npu";
  options.quantization_cache = folder_ / "cache";
  EXPECT_TRUE(equal(latents(options), expected));
  EXPECT_TRUE(equal(latents(options), expected));
}

TEST_F(QuantizedModel, ThreadsChangeNothing) {
  EngineOptions options;
  options.quantization = "mxfp4_npu";
  options.threads = 1;
  const Tensor expected = latents(options);
  options.threads = 3;
  EXPECT_TRUE(equal(latents(options), expected));
}

// Distances of the latents, normalised by their largest value. Not tight: they say that a mode
// computes the same thing, and docs/quality.md has the pictures.
TEST_F(QuantizedModel, EveryModeStaysNearBf16) {
  const Tensor base = online("");
  const auto distance = [&](const Tensor& made) {
    double error = 0, size = 0;
    for (int64_t i = 0; i < base.elements(); ++i) {
      const double a = made.as<float>()[i], b = base.as<float>()[i];
      error += (a - b) * (a - b);
      size += b * b;
    }
    return std::sqrt(error / size);
  };
  for (const char* key : {"fp8", "mxfp8"}) EXPECT_LT(distance(online(key)), 0.1) << key;
  for (const char* key : {"mxfp4", "mxfp4_npu"}) {
    const double got = distance(online(key));
    EXPECT_LT(got, 0.4) << key;
    EXPECT_GT(got, 1e-3) << key;
  }
  EXPECT_LT(distance(stored(make("recipe", "", false))), 0.4);
  EXPECT_LT(distance(stored(make("int8", "W8A8_DYNAMIC", false))), 0.1);
  EXPECT_LT(distance(stored(make("int4", "W4A4_DYNAMIC", false))), 0.8);
}

TEST_F(QuantizedModel, InspectSaysWhatWouldRun) {
  EngineOptions options;
  options.model_path = make("recipe", "", false);
  const ModelReport report = inspect_model(options);
  int mxfp8 = 0, dual = 0;
  for (const LayerReport& layer : report.layers) {
    mxfp8 += layer.type == "W8A8_MXFP8";
    dual += layer.type == "W4A4_MXFP4_DUALSCALE";
  }
  EXPECT_EQ(mxfp8, 2 * 10);
  EXPECT_EQ(dual, 2 * 31);
  EXPECT_EQ(report.info.quantization, "modelslim");
  options.quantization = "mxfp8";
  expect_error(ErrorKind::bad_input,
               {"--quantization mxfp8", "quant_model_description.json"},
               [&] { inspect_model(options); });
}

}  // namespace
}  // namespace mxdit

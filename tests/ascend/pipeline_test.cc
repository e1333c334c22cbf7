// The embedded model from prompt to frames on the Ascend back end, against the device exact in the
// same mode: latents to the bit where every operator is, frames by their distance.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string_view>

#include "ascend/equal_bytes.h"
#include "e2e/psnr.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "mxdit/engine.h"
#include "mxdit/quantize.h"

namespace mxdit::ascend {
namespace {

constexpr double kLeastPsnr = 45.0;

struct Trial {
  std::map<std::string, Tensor> trace;
  RunReport report;
};

class Pipeline : public ::testing::Test {
 protected:
  Trial run(const std::string& device, EngineOptions options, int frames = 1) {
    options.device = device;
    options.threads = 1;  // sections of `exact` are short: on a busy machine threads wait for each other
    if (options.model_path.empty()) options.model_path = model();
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_frames = frames;
    request.num_inference_steps = 3;
    request.trace_path = folder_ / (device + ".safetensors");
    Trial result;
    result.report = Engine(options).generate(request).report;
    const SafetensorsFile file = SafetensorsFile::open(request.trace_path);
    for (const auto& [name, entry] : file.header().tensors) {
      const Tensor stored = file.get(name);
      Tensor copy = Tensor::host(stored.dtype(), stored.shape());
      std::memcpy(copy.mutable_data(), stored.data(), stored.bytes());
      result.trace.emplace(name, std::move(copy));
    }
    return result;
  }

  void expect_exact(const std::string& mode, const EngineOptions& options, int frames = 1) {
    SCOPED_TRACE(mode);
    const Trial expected = run("exact", options, frames), got = run("ascend", options, frames);
    for (const char* name : {"prompt_embeds", "step0.noise_cond", "step0.latents",
                             "latents_final"})
      EXPECT_TRUE(equal_bytes(expected.trace.at(name), got.trace.at(name))) << name;
    const double distance = psnr(got.trace.at("frames"), expected.trace.at("frames"));
    std::printf("[ frames   ] %s: %.1f dB from exact\n", mode.c_str(), distance);
    EXPECT_GE(distance, kLeastPsnr);
  }

  static std::string model() { return std::string(MXDIT_SOURCE_DIR) + "/models/tiny"; }
  TemporaryFolder folder_;
};

TEST_F(Pipeline, Bf16) {
  expect_exact("bf16", {}, 5);  // the decoder upsamples in time
}

TEST_F(Pipeline, Mxfp8) {
  EngineOptions options;
  options.quantization = "mxfp8";
  expect_exact("mxfp8", options);
}

TEST_F(Pipeline, DualLevel) {
  EngineOptions options;
  options.quantization = "mxfp4_npu";
  expect_exact("mxfp4_npu", options);
}

TEST_F(Pipeline, SingleLevel) {
  EngineOptions options;
  options.quantization = "mxfp4";
  expect_exact("mxfp4", options);
}

// Adds scales of activations to a quantized transformer, as an exporter that smooths has them: for
// the queries, keys and values of block 1, and ones for those of block 2.
void add_smooth_scales(const std::filesystem::path& file) {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  {
    const SafetensorsFile stored = SafetensorsFile::open(file);
    metadata = stored.header().metadata;
    for (const auto& [name, entry] : stored.header().tensors) {
      const Tensor mapped = stored.get(name);
      Tensor copy = Tensor::host(mapped.dtype(), mapped.shape());
      std::memcpy(copy.mutable_data(), mapped.data(), mapped.bytes());
      tensors.emplace(name, std::move(copy));
    }
  }
  constexpr int64_t kFeatures = 256;
  for (const char* block : {"blocks.1", "blocks.2"}) {
    Tensor scale = Tensor::host(DType::f32, {kFeatures});
    const bool is_one = std::string_view(block) == "blocks.2";
    for (int64_t i = 0; i < kFeatures; ++i)
      scale.as_mutable<float>()[i] = is_one ? 1.0f : 0.5f + 0.004f * static_cast<float>(i);
    for (const char* layer : {"to_q", "to_k", "to_v"})
      tensors.emplace(std::string(block) + ".attn1." + layer + ".mul_scale", scale);
  }
  write_safetensors(file, tensors, metadata);
}

TEST_F(Pipeline, ExportedCheckpoint) {  // MXFP8 and dual-level layers, with smooth scales
  QuantizeModelOptions made;
  made.model_path = model();
  made.output_path = folder_ / "recipe";
  made.proj_out = true;
  quantize_model(made, {}, nullptr);
  EngineOptions options;
  options.model_path = made.output_path;
  expect_exact("modelslim", options);
  for (const char* expert : {"transformer", "transformer_2"})
    add_smooth_scales(std::filesystem::path(made.output_path) / expert /
                      "diffusion_pytorch_model.safetensors");
  expect_exact("modelslim with smooth scales", options);
}

TEST_F(Pipeline, QuantizesCheckpointsToTheSameBytes) {
  for (const char* device : {"cpu", "ascend"}) {
    QuantizeModelOptions made;
    made.model_path = model();
    made.output_path = folder_ / device;
    made.device = device;
    quantize_model(made, {}, nullptr);
  }
  for (const char* expert : {"transformer", "transformer_2"}) {
    const auto file = [&](const char* device) {
      return SafetensorsFile::open(std::filesystem::path(folder_ / device) / expert /
                                   "diffusion_pytorch_model.safetensors");
    };
    const SafetensorsFile expected = file("cpu"), got = file("ascend");
    ASSERT_EQ(expected.header().tensors.size(), got.header().tensors.size());
    for (const auto& [name, entry] : expected.header().tensors)
      EXPECT_TRUE(equal_bytes(expected.get(name), got.get(name))) << name;
  }
}

// Steps after the first take no memory from the device, that of the second expert's first turn included.
// All are waited for once, at their end.
TEST_F(Pipeline, StepsAfterTheFirstAllocateNothing) {
  for (const char* key : {"", "mxfp8", "mxfp4_npu"}) {
    SCOPED_TRACE(key);
    EngineOptions options;
    options.device = "ascend";
    options.model_path = model();
    options.quantization = key;
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_frames = 1;
    request.num_inference_steps = 8;
    const RunReport report = Engine(options).generate(request).report;
    ASSERT_EQ(report.denoise_step_counters.size(), 8u);
    for (size_t i = 0; i < report.denoise_step_counters.size(); ++i) {
      const DeviceCounters& step = report.denoise_step_counters[i];
      std::printf("[ step %zu   ] %s: %llu operator calls, %llu synchronizations, %llu allocations\n",
                  i, key, static_cast<unsigned long long>(step.operator_calls),
                  static_cast<unsigned long long>(step.synchronizations),
                  static_cast<unsigned long long>(step.allocations));
      EXPECT_EQ(step.synchronizations, 1u) << "step " << i;
      EXPECT_TRUE(i == 0 || step.allocations == 0) << "step " << i;
    }
  }
}

TEST_F(Pipeline, FormatsWithoutAnOperatorNameTheLayer) {
  QuantizeModelOptions made;
  made.model_path = model();
  made.output_path = folder_ / "int8";
  made.type = "W8A8_DYNAMIC";
  quantize_model(made, {}, nullptr);
  EngineOptions options;
  options.model_path = made.output_path;
  try {
    run("ascend", options);
    ADD_FAILURE() << "int8 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    for (const char* part : {"int8", "blocks.0.attn1.to_q", "mxfp8"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mxdit::ascend

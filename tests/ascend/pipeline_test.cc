// The embedded model from prompt to frames on the Ascend back end, against the device exact in the
// same mode: latents to the bit where every operator is, frames by their distance.
#include <gtest/gtest.h>

#include <cstring>

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
  Trial run(const std::string& device, EngineOptions options) {
    options.device = device;
    if (options.model_path.empty()) options.model_path = model();
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_frames = 5;
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

  void expect_exact(const std::string& mode, const EngineOptions& options) {
    SCOPED_TRACE(mode);
    const Trial expected = run("exact", options), got = run("ascend", options);
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
  expect_exact("bf16", {});
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

TEST_F(Pipeline, ExportedCheckpoint) {  // MXFP8 and dual-level layers with smooth scales
  QuantizeModelOptions made;
  made.model_path = model();
  made.output_path = folder_ / "recipe";
  made.proj_out = true;
  quantize_model(made, {}, nullptr);
  EngineOptions options;
  options.model_path = made.output_path;
  expect_exact("modelslim", options);
}

// The first step of each expert lays out weights and plans calls; the others take no memory
// from the device. All are waited for once, at their end.
TEST_F(Pipeline, StepsAfterTheFirstAllocateNothing) {
  for (const char* key : {"", "mxfp8", "mxfp4_npu"}) {
    SCOPED_TRACE(key);
    EngineOptions options;
    options.device = "ascend";
    options.model_path = model();
    options.quantization = key;
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_frames = 5;
    request.num_inference_steps = 8;
    constexpr size_t kSecondExpert = 4;
    const RunReport report = Engine(options).generate(request).report;
    ASSERT_EQ(report.denoise_step_counters.size(), 8u);
    for (size_t i = 0; i < report.denoise_step_counters.size(); ++i) {
      const DeviceCounters& step = report.denoise_step_counters[i];
      std::printf("[ step %zu   ] %s: %llu operator calls, %llu synchronizations, %llu allocations\n",
                  i, key, static_cast<unsigned long long>(step.operator_calls),
                  static_cast<unsigned long long>(step.synchronizations),
                  static_cast<unsigned long long>(step.allocations));
      EXPECT_EQ(step.synchronizations, 1u) << "step " << i;
      const bool is_first_of_an_expert = i == 0 || i == kSecondExpert;
      EXPECT_TRUE(is_first_of_an_expert || step.allocations == 0) << "step " << i;
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

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "conversion/quantize/plain_model.h"
#include "io/expect_error.h"

namespace mxdit::conversion {
namespace {

using ::testing::ElementsAre;

class QuantizeErrors : public testing::Test {
 protected:
  void SetUp() override {
    PlainModel{}.write(folder_, "plain");
    options_.model_path = folder_ / "plain";
    options_.output_path = folder_ / "made";
    options_.threads = 1;
  }

  // The error, and that nothing remains of the run.
  void expect_refused(ErrorKind kind, std::initializer_list<std::string> parts) {
    expect_error(kind, parts, [this] { quantize_model(options_); });
    EXPECT_THAT(names(), ElementsAre("plain"));
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  // The plain weights with a change.
  void rewrite(const std::function<void(std::map<std::string, Tensor>&)>& change) {
    auto tensors = plain_tensors(kPlainConfig, DType::f32, 0);
    change(tensors);
    write_safetensors(folder_ / "plain/transformer/diffusion_pytorch_model.safetensors", tensors);
  }

  TemporaryFolder folder_;
  QuantizeModelOptions options_;
};

TEST_F(QuantizeErrors, Options) {
  options_.type = "W4A16";
  expect_refused(ErrorKind::usage, {"--type", "W4A4_MXFP4_DUALSCALE", "\"W4A16\""});
  options_.type = "W4A4_MXFP4";
  options_.mxfp8_blocks = 3;
  expect_refused(ErrorKind::usage, {"--mxfp8-blocks", "--type"});
  options_.type = "";
  options_.mxfp8_blocks = -1;
  expect_refused(ErrorKind::usage, {"--mxfp8-blocks", "at least 0"});
  options_.mxfp8_blocks.reset();
  options_.keep = {"attn1", "to"};
  expect_refused(ErrorKind::usage, {"--keep", "\"to\""});
  options_.keep.clear();
  options_.max_shard_bytes = 0;
  expect_refused(ErrorKind::usage, {"--max-shard-size"});
  options_.max_shard_bytes = 1;
  options_.device = "abacus";
  expect_refused(ErrorKind::usage, {"abacus"});
  options_.device = "cpu";
  options_.output_path = folder_ / "plain/made";
  expect_refused(ErrorKind::usage, {"--model-path"});
  options_.output_path = "";
  expect_refused(ErrorKind::usage, {"--output-path"});
}

TEST_F(QuantizeErrors, ARuleThatDoesNotEncodeAType) {
  options_.rule = "minmax";
  expect_refused(ErrorKind::unsupported, {"blocks.0.attn1.to_q", "--rule minmax",
                                          "W4A4_MXFP4_DUALSCALE", "got W8A8_MXFP8"});
  options_.type = "W4A4_MXFP4";
  expect_refused(ErrorKind::unsupported, {"--rule minmax", "got W4A4_MXFP4"});
}

TEST_F(QuantizeErrors, AnExistingOutput) {
  folder_.write("made/mine.txt", "mine");
  expect_error(ErrorKind::usage, {"made", "--force"}, [this] { quantize_model(options_); });
  options_.force = true;
  expect_error(ErrorKind::usage, {"made", "model_index.json"},
               [this] { quantize_model(options_); });
  EXPECT_EQ(content_of(folder_ / "made/mine.txt"), "mine");
}

TEST_F(QuantizeErrors, AQuantizedModel) {
  options_.output_path = folder_ / "first";
  quantize_model(options_);
  options_.model_path = folder_ / "first";
  options_.output_path = folder_ / "second";
  expect_error(ErrorKind::bad_input,
               {"diffusion_pytorch_model.safetensors", "blocks.0.attn1.to_k.weight", "F8_E4M3",
                "quantized already"},
               [this] { quantize_model(options_); });
  EXPECT_THAT(names(), ElementsAre("first", "plain"));
}

TEST_F(QuantizeErrors, ScalesBesideAPlainWeight) {
  rewrite([](auto& tensors) {
    tensors["blocks.0.attn1.to_q.weight_scale"] = plain_tensor("x", DType::f32, {96, 1}, 0);
  });
  expect_refused(ErrorKind::bad_input, {"blocks.0.attn1.to_q.weight_scale", "quantized already"});
}

TEST_F(QuantizeErrors, ADeclaredQuantization) {
  std::string config = kPlainConfig;
  config.insert(config.find('{') + 1, R"("quantization_config": {"quant_method": "fp8"}, )");
  folder_.write("plain/transformer/config.json", config);
  expect_refused(ErrorKind::bad_input, {"config.json", "quantization_config"});
  folder_.write("plain/transformer/config.json", kPlainConfig);
  folder_.write("plain/transformer/quant_model_description.json", "{}");
  expect_refused(ErrorKind::bad_input, {"quant_model_description.json", "quantized already"});
}

TEST_F(QuantizeErrors, TensorsThatTheModelDoesNotHave) {
  rewrite([](auto& tensors) { tensors.erase("blocks.1.ffn.net.2.bias"); });
  expect_refused(ErrorKind::not_found, {"blocks.1.ffn.net.2.bias"});
  rewrite([](auto& tensors) {
    tensors["blocks.1.ffn.net.2.weight"] = plain_tensor("x", DType::f32, {96, 511}, 0);
  });
  expect_refused(ErrorKind::bad_input, {"blocks.1.ffn.net.2.weight", "[96, 512]", "[96, 511]"});
  rewrite([](auto& tensors) { tensors["stray"] = plain_tensor("x", DType::f32, {2}, 0); });
  expect_refused(ErrorKind::bad_input, {"stray"});
}

TEST_F(QuantizeErrors, WeightsThatAreNotFinite) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            -std::numeric_limits<float>::infinity(), 3.4028e38f}) {
    rewrite([&](auto& tensors) {
      tensors.at("blocks.2.attn2.to_v.weight").template as_mutable<float>()[96 * 5 + 7] = value;
    });
    expect_refused(ErrorKind::bad_input, {"diffusion_pytorch_model.safetensors",
                                          "blocks.2.attn2.to_v.weight", "[5, 7]", "finite"});
  }
}

TEST_F(QuantizeErrors, StoppedAnywhereItLeavesNothing) {
  size_t points = 0;
  quantize_model(options_, [&](const Progress&) { ++points; });
  std::filesystem::remove_all(folder_ / "made");
  ASSERT_GT(points, 3u);
  for (size_t stop = 0; stop < points; ++stop) {
    CancelToken cancel;
    size_t seen = 0;
    const ProgressSink sink = [&](const Progress&) {
      if (seen++ == stop) cancel.cancel();
    };
    expect_error(ErrorKind::cancelled, {"stopped"},
                 [&] { quantize_model(options_, sink, &cancel); });
    EXPECT_THAT(names(), ElementsAre("plain")) << stop;
  }
}

TEST_F(QuantizeErrors, ProgressCountsToTheEnd) {
  std::map<std::string, Progress> last;
  quantize_model(options_, [&](const Progress& progress) {
    if (progress.event != Progress::Event::stage_end) last[progress.stage] = progress;
    EXPECT_LE(progress.step, progress.total);
  });
  // All but the part of a MiB that is left is counted before the stage ends.
  EXPECT_GE(last.at("transformer").step, last.at("transformer").total - 1);
}

}  // namespace
}  // namespace mxdit::conversion

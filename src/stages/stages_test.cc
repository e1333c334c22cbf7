#include <gtest/gtest.h>

#include <limits>

#include "backend/registry.h"
#include "io/safetensors.h"
#include "schedulers/registry.h"
#include "stages/decode.h"
#include "stages/denoise.h"
#include "stages/prepare_latents.h"
#include "stages/trace.h"

namespace mxdit {
namespace {

TEST(ToVideo, RoundsAndInterleaves) {
  Tensor frames = Tensor::host(DType::f32, {1, 3, 1, 1, 2});
  const float values[] = {-1.0f, 1.0f, 0.0f, 2.0f, -3.0f, 0.5f};
  std::copy(values, values + 6, frames.as_mutable<float>());
  const Video video = to_video(frames, 8);
  EXPECT_EQ(video.width, 2);
  EXPECT_EQ(video.height, 1);
  EXPECT_EQ(video.rgb, (std::vector<uint8_t>{0, 128, 0, 255, 255, 191}));
}

class LatentsFile : public testing::Test {
 protected:
  std::string write(const char* tensor, const Shape& shape, float value) {
    Tensor t = Tensor::host(DType::f32, shape);
    std::fill(t.as_mutable<float>(), t.as_mutable<float>() + t.elements(), value);
    const std::string path = testing::TempDir() + "latents_test.safetensors";
    write_safetensors(path, {{tensor, t}}, {});
    return path;
  }
  std::string message(const std::string& path) {
    try {
      read_latents(*backend_, path, {1, 4, 1, 2, 2}, 0, 1);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::unique_ptr<Backend> backend_ = make_backend("cpu", {});
};

TEST_F(LatentsFile, ReadsTheRowOfTheVideo) {
  const Tensor row = read_latents(*backend_, write("latents", {2, 4, 1, 2, 2}, 3.0f),
                                  {1, 4, 1, 2, 2}, 1, 2);
  EXPECT_EQ(row.shape(), Shape({1, 4, 1, 2, 2}));
  EXPECT_EQ(row.as<float>()[15], 3.0f);
}

TEST_F(LatentsFile, SaysWhatIsWrong) {
  EXPECT_NE(message(write("latents", {1, 4, 1, 2, 3}, 0)).find("expected shape [1, 4, 1, 2, 2]"),
            std::string::npos);
  EXPECT_NE(message(write("noise", {1, 4, 1, 2, 2}, 0)).find("latents"), std::string::npos);
  EXPECT_NE(message(write("latents", {1, 4, 1, 2, 2}, std::numeric_limits<float>::quiet_NaN()))
                .find("expected finite numbers"),
            std::string::npos);
}

TEST(TraceTest, JoinsRowsOfVideos) {
  const auto backend = make_backend("cpu", {});
  Trace trace;
  for (int i = 0; i < 2; ++i) {
    Tensor row = Tensor::host(DType::bf16, {1, 3});
    std::fill_n(row.as_mutable<uint16_t>(), 3, static_cast<uint16_t>(0x3f80 + i * 0x80));
    trace.append(*backend, "step0.latents", row);
  }
  const std::string path = testing::TempDir() + "trace_test.safetensors";
  trace.write(path, {{"prompt", "a"}});
  const WeightStore file = WeightStore::open(path);
  const Tensor joined = file.get("step0.latents", {2, 3});
  EXPECT_EQ(joined.dtype(), DType::f32);
  EXPECT_EQ(joined.as<float>()[0], 1.0f);
  EXPECT_EQ(joined.as<float>()[3], 2.0f);
  EXPECT_EQ(file.metadata().at("prompt"), "a");
}

// Quantizes its context by the step, as a timestep policy does: another way in steps 2 and 3.
class SteppedDenoiser final : public Denoiser {
 public:
  explicit SteppedDenoiser(std::shared_ptr<const StepClock> clock) : clock_(std::move(clock)) {}
  int64_t in_channels() const override { return 1; }
  int64_t out_channels() const override { return 1; }
  int64_t text_width() const override { return 2; }
  std::array<int64_t, 3> patch_size() const override { return {1, 1, 1}; }
  std::shared_ptr<const TextContext> encode_context(const Tensor&, const Tensor&) const override {
    ++encoded;
    auto context = std::make_shared<Context>();
    context->precision = precision();
    return context;
  }
  bool is_current(const TextContext& context) const override {
    return static_cast<const Context&>(context).precision == precision();
  }
  Tensor forward(const DenoiserInput& input, const CancelToken*) const override {
    EXPECT_EQ(static_cast<const Context&>(*input.context).precision, precision());
    return input.latents;
  }

  mutable int encoded = 0;

 private:
  struct Context final : TextContext {
    int precision = 0;
  };
  int precision() const { return clock_->step() / 2 == 1 ? 8 : 4; }

  std::shared_ptr<const StepClock> clock_;
};

TEST(DenoiseTest, EncodesTextsAgainWhenThePrecisionChanges) {
  const auto backend = make_backend("cpu", {});
  const auto clock = std::make_shared<StepClock>();
  const SteppedDenoiser denoiser(clock);
  const auto scheduler =
      make_scheduler({{"_class_name", "FlowMatchEulerDiscreteScheduler"}}, "scheduler_config.json");
  Components components;
  components.backend = backend.get();
  components.transformer = &denoiser;
  components.scheduler = scheduler.get();
  components.clock = clock.get();
  RunState state;
  state.params.num_inference_steps = 6;
  state.params.guidance_scale = 2;
  for (Tensor* tensor : {&state.prompt_embeds, &state.negative_prompt_embeds, &state.latents}) {
    *tensor = Tensor::host(DType::f32, tensor == &state.latents ? Shape{1, 1, 1, 2, 2} : Shape{1, 3, 2});
    std::fill_n(tensor->as_mutable<float>(), tensor->elements(), 0.5f);
  }
  Denoise().run(components, {}, state);
  EXPECT_EQ(denoiser.encoded, 3 * 2);  // steps 0 and 1, 2 and 3, 4 and 5; both texts
}

}  // namespace
}  // namespace mxdit

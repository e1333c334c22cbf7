#include <gtest/gtest.h>

#include <limits>

#include "backend/registry.h"
#include "io/safetensors.h"
#include "stages/decode.h"
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

}  // namespace
}  // namespace mxdit

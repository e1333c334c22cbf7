// Against diffusers' AutoencoderKLWan (tests/goldens/vae), and properties no reference is needed
// for.
#include <gtest/gtest.h>

#include <cstring>

#include "models/wan_vae/test_autoencoder.h"

namespace mxdit::wan_vae {
namespace {

// max |a - b| / max |b|
double relative_error(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  if (a.shape() != b.shape()) return 1e9;
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.as<float>()[i], y = b.as<float>()[i];
    if (std::isnan(x)) return 1e9;
    difference = std::max(difference, std::abs(x - y));
    largest = std::max(largest, std::abs(y));
  }
  return difference / largest;
}

double root_mean_square(const Tensor& a, const Tensor& b) {
  double sum = 0, size = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.as<float>()[i], y = b.as<float>()[i];
    sum += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(sum / size);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

TilingOptions tiling_of(const Json& golden) {
  TilingOptions tiling;
  if (!golden.contains("tiling")) return tiling;
  const Json& sizes = golden["tiling"];
  tiling.enabled = true;
  tiling.tile_height = sizes["tile_sample_min_height"];
  tiling.tile_width = sizes["tile_sample_min_width"];
  tiling.stride_height = sizes["tile_sample_stride_height"];
  tiling.stride_width = sizes["tile_sample_stride_width"];
  return tiling;
}

struct GoldenResult {
  std::string name;
  Tensor computed, expected;
};

std::vector<GoldenResult> run_goldens(const std::string& variant, DType compute) {
  const WeightStore cases = WeightStore::open(golden_folder(variant) / "cases.safetensors");
  const TestAutoencoder vae(variant, compute, cpu_backend(2));
  EXPECT_TRUE(vae->unused_tensors().empty());
  std::vector<GoldenResult> results;
  for (const Json& golden : Json::parse(cases.metadata().at("cases"))) {
    const std::string name = golden["name"];
    const TilingOptions tiling = tiling_of(golden);
    GoldenResult result{variant + "/" + name, {}, {}};
    if (cases.contains(name + ".latents")) {
      result.expected = cases.get(name + ".frames");
      result.computed = vae->decode(cases.get(name + ".latents"), tiling, nullptr, nullptr);
    } else {
      result.expected = cases.get(name + ".moments");
      result.computed = vae->encode(cases.get(name + ".video"), tiling, nullptr, nullptr);
    }
    results.push_back(result);
  }
  return results;
}

class Goldens : public testing::TestWithParam<const char*> {};

TEST_P(Goldens, AgreeInFp32) {
  const auto results = run_goldens(GetParam(), DType::f32);
  EXPECT_GE(results.size(), 6u);
  for (const GoldenResult& result : results) {
    const double error = relative_error(result.computed, result.expected);
    std::printf("%-28s %.2e\n", result.name.c_str(), error);
    EXPECT_LE(error, 1e-4) << result.name;
  }
}

// About 40 roundings to 8 bits one behind the other, each a relative error of up to 2^-9 that the
// residual path adds up like noise: sqrt(40) * 2^-9 = 1.2 %, times the gain of random weights.
TEST_P(Goldens, AgreeLooselyInBf16) {
  for (const GoldenResult& result : run_goldens(GetParam(), DType::bf16)) {
    const double error = root_mean_square(result.computed, result.expected);
    std::printf("%-28s %.2e\n", result.name.c_str(), error);
    EXPECT_LE(error, 0.06) << result.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Goldens, testing::Values("base", "small"),
                         [](const auto& variant) { return std::string(variant.param); });

class Properties : public testing::TestWithParam<DType> {
 protected:
  TestAutoencoder make(int threads) const { return {"base", GetParam(), cpu_backend(threads)}; }
  TilingOptions tiles() const { return {true, 32, 40, 24, 24}; }
};

TEST_P(Properties, ThreadsDoNotChangeBits) {
  const auto one = make(1), two = make(2);
  const Tensor latents = wave_clip({1, 16, 3, 5, 6}), video = wave_clip({1, 3, 9, 40, 48});
  for (const TilingOptions& tiling : {TilingOptions{}, tiles()}) {
    EXPECT_TRUE(same_bits(one->decode(latents, tiling, nullptr, nullptr),
                          two->decode(latents, tiling, nullptr, nullptr)));
    EXPECT_TRUE(same_bits(one->encode(video, tiling, nullptr, nullptr),
                          two->encode(video, tiling, nullptr, nullptr)));
  }
}

// Frames first..last - 1 of [1, C, F, H, W].
Tensor frames_of(const Tensor& clip, int64_t first, int64_t last) {
  const int64_t channels = clip.dim(1), frames = clip.dim(2), plane = clip.dim(3) * clip.dim(4);
  Tensor out = Tensor::host(DType::f32, {1, channels, last - first, clip.dim(3), clip.dim(4)});
  for (int64_t c = 0; c < channels; ++c)
    std::memcpy(out.as_mutable<float>() + c * (last - first) * plane,
                clip.as<float>() + (c * frames + first) * plane,
                static_cast<size_t>((last - first) * plane) * sizeof(float));
  return out;
}

TEST_P(Properties, EarlierFramesDoNotDependOnLaterOnes) {
  const auto vae = make(2);
  const Tensor latents = wave_clip({1, 16, 4, 3, 4});
  const Tensor whole = vae->decode(latents, {}, nullptr, nullptr);
  const Tensor moments = vae->encode(whole, {}, nullptr, nullptr);
  for (int64_t f = 1; f < 4; ++f) {
    const int64_t frames = 4 * (f - 1) + 1;
    EXPECT_TRUE(same_bits(vae->decode(frames_of(latents, 0, f), {}, nullptr, nullptr),
                          frames_of(whole, 0, frames)));
    EXPECT_TRUE(same_bits(vae->encode(frames_of(whole, 0, frames), {}, nullptr, nullptr),
                          frames_of(moments, 0, f)));
  }
}

TEST_P(Properties, RowsOfABatchDoNotMeet) {
  const auto vae = make(2);
  const Tensor latents = wave_clip({2, 16, 2, 3, 3});
  const Tensor both = vae->decode(latents, {}, nullptr, nullptr);
  for (int64_t b = 0; b < 2; ++b)
    EXPECT_TRUE(same_bits(vae->decode(latents.slice(b, b + 1), {}, nullptr, nullptr),
                          both.slice(b, b + 1)));
}

TEST_P(Properties, FramesAreClamped) {
  const auto vae = make(2);
  const Tensor frames = vae->decode(wave_clip({1, 16, 2, 4, 4}), {}, nullptr, nullptr);
  for (int64_t i = 0; i < frames.elements(); ++i)
    ASSERT_LE(std::abs(frames.as<float>()[i]), 1.0f) << i;
}

INSTANTIATE_TEST_SUITE_P(Compute, Properties, testing::Values(DType::f32, DType::bf16),
                         [](const auto& compute) { return std::string(name(compute.param)); });

TEST(Autoencoder, FramesBeyondTheLastChunkAreLeftOut) {
  const TestAutoencoder vae("base", DType::f32, cpu_backend(2));
  const Tensor video = wave_clip({1, 3, 7, 16, 16});
  EXPECT_TRUE(same_bits(vae->encode(video, {}, nullptr, nullptr),
                        vae->encode(frames_of(video, 0, 5), {}, nullptr, nullptr)));
}

TEST(Autoencoder, CountsChunksOverTilesAndRows) {
  const TestAutoencoder vae("base", DType::f32, cpu_backend(2));
  std::vector<int64_t> done;
  const UnitProgress progress = [&](int64_t now, int64_t total) {
    EXPECT_EQ(total, 2 * 4 * 2);
    done.push_back(now);
  };
  vae->decode(wave_clip({2, 16, 2, 5, 6}), {true, 32, 40, 24, 24}, progress, nullptr);
  ASSERT_EQ(done.size(), 16u);
  EXPECT_EQ(done.front(), 1);
  EXPECT_EQ(done.back(), 16);
  done.clear();
  vae->encode(wave_clip({2, 3, 5, 40, 48}), {true, 32, 40, 24, 24}, progress, nullptr);
  EXPECT_EQ(done.size(), 16u);
}

TEST(Autoencoder, StopsBetweenChunks) {
  const TestAutoencoder vae("base", DType::f32, cpu_backend(2));
  CancelToken cancel;
  int64_t chunks = 0;
  const UnitProgress progress = [&](int64_t now, int64_t) {
    chunks = now;
    if (now == 2) cancel.cancel();
  };
  try {
    vae->decode(wave_clip({1, 16, 4, 2, 2}), {}, progress, &cancel);
    FAIL() << "expected Error{cancelled}";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
  }
  EXPECT_EQ(chunks, 2);
}

ErrorKind decode_error(const Tensor& latents, const TilingOptions& tiling) {
  const TestAutoencoder vae("base", DType::f32, cpu_backend(1));
  try {
    vae->decode(latents, tiling, nullptr, nullptr);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::internal;
}

TEST(Autoencoder, RefusesOtherShapes) {
  EXPECT_EQ(decode_error(wave_clip({1, 8, 1, 2, 2}), {}), ErrorKind::usage);
  EXPECT_EQ(decode_error(wave_clip({16, 1, 2, 2}), {}), ErrorKind::usage);
  EXPECT_EQ(decode_error(Tensor(), {}), ErrorKind::usage);
  EXPECT_EQ(decode_error(wave_clip({1, 16, 1, 8, 8}), {true, 36, 32, 24, 24}), ErrorKind::usage);
  EXPECT_EQ(decode_error(wave_clip({1, 16, 1, 8, 8}), {true, 32, 32, 40, 24}), ErrorKind::usage);
}

TEST(Autoencoder, NamesATensorOfAnotherShape) {
  const auto backend = cpu_backend(1);
  const WeightStore weights = WeightStore::open(golden_folder("small"));
  const Json config = read_json_file(golden_folder("base") / "config.json");
  ModelSource source;
  source.backend = backend.get();
  source.weights = &weights;
  source.config = &config;
  source.config_file = "config.json";
  try {
    make_wan_autoencoder(source);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("encoder."), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mxdit::wan_vae

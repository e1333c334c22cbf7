// The estimate against the tensors that decoding really holds.
#include "models/wan_vae/memory_estimate.h"

#include <gtest/gtest.h>

#include "models/wan_vae/metered_backend.h"
#include "models/wan_vae/test_autoencoder.h"

namespace mxdit::wan_vae {
namespace {

void compare(const std::string& variant, const Shape& latents, const TilingOptions& tiling,
             DType compute) {
  const auto meter = std::make_shared<Meter>();
  const TestAutoencoder vae(variant, compute,
                            std::make_unique<MeteredBackend>(cpu_backend(2), meter));
  const size_t parameters = meter->live;
  meter->peak = parameters;
  vae->decode(wave_clip(latents), tiling, nullptr, nullptr);
  const double measured = static_cast<double>(meter->peak - parameters);
  const DecodeMemory estimate =
      estimate_decode_memory(parse_config(vae.config(), "config.json"), latents, tiling, compute);
  const double ratio = static_cast<double>(estimate.history + estimate.working) / measured;
  std::printf("%s %s %s: measured %.0f, estimate / measured %.3f\n", variant.c_str(),
              to_string(latents).c_str(), std::string(name(compute)).c_str(), measured, ratio);
  EXPECT_GE(ratio, 0.98);
  EXPECT_LE(ratio, 1.2);
  EXPECT_EQ(meter->live, parameters) << "decoding left tensors behind";
}

TEST(MemoryEstimate, IsWhatDecodingHolds) {
  const TilingOptions tiles = {true, 32, 40, 24, 24};
  for (const DType compute : {DType::f32, DType::bf16}) {
    compare("base", {1, 16, 1, 6, 9}, {}, compute);
    compare("base", {2, 16, 2, 6, 9}, {}, compute);
    compare("base", {1, 16, 4, 6, 9}, {}, compute);
    compare("base", {1, 16, 3, 9, 11}, tiles, compute);
    compare("small", {1, 8, 3, 5, 4}, {}, compute);
  }
}

TEST(MemoryEstimate, DoesNotGrowWithTheClip) {
  const Config config = parse_config(Json::object(), "config.json");
  const auto estimate = [&](const Shape& latents, const TilingOptions& tiling, DType compute) {
    const DecodeMemory memory = estimate_decode_memory(config, latents, tiling, compute);
    std::printf("%s %s %s: history %.2f GB, working %.2f GB, host %.2f GB\n",
                to_string(latents).c_str(), std::string(name(compute)).c_str(),
                tiling.enabled ? "tiled" : "whole", double(memory.history) / 1e9,
                double(memory.working) / 1e9, double(memory.host) / 1e9);
    return memory;
  };
  const TilingOptions tiles = {true, 256, 256, 192, 192};
  const DecodeMemory few = estimate({1, 16, 3, 60, 104}, {}, DType::f32);
  const DecodeMemory many = estimate({1, 16, 21, 60, 104}, {}, DType::f32);
  EXPECT_EQ(few.history, many.history);
  EXPECT_EQ(few.working, many.working);
  const DecodeMemory half = estimate({1, 16, 21, 60, 104}, {}, DType::bf16);
  EXPECT_EQ(2 * half.history, many.history);
  const DecodeMemory tiled = estimate({1, 16, 21, 60, 104}, tiles, DType::bf16);
  EXPECT_LT(tiled.history + tiled.working, half.history + half.working);
  estimate({1, 16, 21, 90, 160}, tiles, DType::bf16);
  EXPECT_EQ(estimate({1, 16, 21, 120, 208}, tiles, DType::bf16).history, tiled.history);
}

TEST(MemoryEstimate, DoesNotWrapForAbsurdShapes) {
  const Config config = parse_config(Json::object(), "config.json");
  constexpr int64_t kExtent = int64_t{1} << 20;
  const Shape shape = {kExtent, 16, kExtent, kExtent, kExtent};
  EXPECT_GT(estimate_decode_memory(config, shape, {}, DType::f32).total(), size_t{1} << 62);
}

TEST(MemoryEstimate, RefusesShapesThatAreNoLatents) {
  const Config config = parse_config(Json::object(), "config.json");
  const Shape shapes[] = {
      {1, 16, 1, 8}, {1, 8, 1, 8, 8}, {1, 16, 0, 8, 8}, {1, 16, 1, int64_t{1} << 40, 8}};
  for (const Shape& shape : shapes)
    EXPECT_THROW(estimate_decode_memory(config, shape, {}, DType::f32), Error) << shape;
}

}  // namespace
}  // namespace mxdit::wan_vae

// A program of its own: the peak of a process is that of all its tests.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "conversion/quantize/plain_model.h"

namespace mxdit::conversion {
namespace {

// "VmHWM" or "VmRSS" of this process in bytes; 0 where the system does not tell.
uint64_t memory(const char* key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stoull(line.substr(std::strlen(key) + 1)) * 1024;
  return 0;
}

TEST(QuantizeMemory, IsThatOfOneLayerAndPieces) {
  const TemporaryFolder folder;
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  {
    PlainModel model;  // 10 blocks of 8 MiB
    model.config = R"({"_class_name": "WanTransformer3DModel", "num_attention_heads": 4,
      "attention_head_dim": 128, "in_channels": 4, "out_channels": 4, "text_dim": 32,
      "freq_dim": 32, "ffn_dim": 2048, "num_layers": 10})";
    model.write(folder, "plain");
  }
  const uint64_t bytes =
      std::filesystem::file_size(folder / "plain/transformer/diffusion_pytorch_model.safetensors");
  ASSERT_GT(bytes, 80 * kMiB);
  if (!(std::ofstream("/proc/self/clear_refs") << 5).flush())
    GTEST_SKIP() << "the system does not reset the peak";
  const uint64_t before = memory("VmRSS");
  QuantizeModelOptions options;
  options.model_path = folder / "plain";
  options.output_path = folder / "made";
  options.type = "W8A8_DYNAMIC";
  options.threads = 2;
  quantize_model(options);
  // A weight of 2 MiB, its form in 8 bits, and pieces of 2^20 elements in up to 8 bytes each.
  EXPECT_LT(memory("VmHWM"), before + 40 * kMiB);
}

}  // namespace
}  // namespace mxdit::conversion

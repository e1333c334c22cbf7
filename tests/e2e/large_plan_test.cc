// Plans for a model of real size: Wan2.2 A14B, 2 x 28 GB of weights, of which nothing but headers
// are read.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "io/mapped_file.h"
#include "io/temporary_folder.h"
#include "mxdit/engine.h"
#include "sparse_checkpoint.h"

namespace mxdit {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

// Bytes of one expert's linears in dual-level MXFP4, from the sizes of the model: 4 bits an
// element, 8 per 32 and 32 per 512; all widths are multiples of 512.
constexpr uint64_t kDim = 5120, kFeedForward = 13824, kBlocks = 40, kOutputs = 64;
constexpr uint64_t kElements =
    kBlocks * (8 * kDim * kDim + 2 * kDim * kFeedForward) + kOutputs * kDim;
constexpr uint64_t kExpertBytes = kElements / 2 + kElements / 32 + kElements / 512 * 4;
static_assert(kElements % 512 == 0);

class LargePlan : public testing::Test {
 protected:
  void SetUp() override {
    random_models::WanShape shape = *random_models::find_wan_shape("wan2.2-t2v-a14b-block");
    shape.transformer.layers = kBlocks;
    shape.text_encoder.layers = 24;
    shape.text_encoder.vocabulary = 256384;
    if (!write_sparse_checkpoint(folder_ / "a14b", shape))
      GTEST_SKIP() << "this file system takes no files of 28 GB with holes";
    options_.model_path = (folder_ / "a14b").string();
    options_.quantization = "mxfp4_npu";
    request_.prompts = {"a bird"};
  }

  RunPlan plan(int width, int height, int frames) {
    request_.width = width;
    request_.height = height;
    request_.num_frames = frames;
    return Engine(options_).plan(request_);
  }
  static uint64_t bytes_of(const StagePlan& stage, const std::string& what) {
    for (const PlannedBytes& part : stage.memory)
      if (part.what == what) return part.bytes;
    return 0;
  }

  TemporaryFolder folder_;
  EngineOptions options_;
  GenerateRequest request_;
};

TEST_F(LargePlan, APairQuantizedToMxfp4FitsIn24GiB) {
  options_.max_memory_bytes = 24 * kGiB;
  const RunPlan made = plan(832, 480, 81);
  for (const StagePlan& stage : made.stages) {
    std::printf("%s: %.2f GiB\n", stage.label().c_str(),
                static_cast<double>(stage.memory_bytes()) / kGiB);
    for (const char* expert : {"transformer", "transformer_2"})
      EXPECT_EQ(bytes_of(stage, std::string("quantized weights of ") + expert), kExpertBytes)
          << stage.label();
  }
  EXPECT_TRUE(made.fits) << made.refusal;
  EXPECT_LT(made.peak_bytes(), 24 * kGiB);
  EXPECT_GT(made.peak_bytes(), 2 * kExpertBytes);
  EXPECT_EQ(kExpertBytes, 7'574'499'840u);
}

// Beside what has to be there at once, of a stage or of the model, nothing: a stage has no part that
// another one left behind.
TEST_F(LargePlan, StagesLeaveNothingBehind) {
  const RunPlan made = plan(832, 480, 81);
  const StagePlan& denoising = made.stages[2];
  const StagePlan& decoding = made.stages[4];
  ASSERT_EQ(denoising.name, "DenoisingStage");
  ASSERT_EQ(decoding.name, "DecodingStage");
  // 21 x 30 x 52 tokens, eight tensors of the width and the feed-forward's output in parts, and 8,192
  // rows of its inner width, in bf16.
  const uint64_t activations = (uint64_t{21} * 30 * 52 * 9 * kDim + 8192 * kFeedForward) * 2;
  EXPECT_GE(bytes_of(denoising, "activations"), activations);
  EXPECT_LE(denoising.memory_bytes() - made.stages.front().memory_bytes(), 2 * activations);
  // Decoding has about as much of its own; with what denoising had it would exceed this.
  uint64_t own = 0;
  for (const char* part : {"activations", "frames that convolutions over time remember",
                           "scratch of kernels", "idle blocks"})
    own += bytes_of(decoding, part);
  EXPECT_LT(decoding.memory_bytes(), 2 * kExpertBytes + own + activations);
  EXPECT_LT(made.stages.back().memory_bytes(), decoding.memory_bytes() - own + kGiB);
}

// 75,600 tokens: the activations of denoising, not what other stages left, are the limit.
TEST_F(LargePlan, TheLargestVideoIsBoundByDenoising) {
  request_.vae_tiling = true;
  const RunPlan made = plan(1280, 720, 81);
  for (const StagePlan& stage : made.stages)
    std::printf("%s: %.2f GiB\n", stage.label().c_str(),
                static_cast<double>(stage.memory_bytes()) / kGiB);
  EXPECT_EQ(made.widest_stage().name, "DenoisingStage");
  EXPECT_LT(made.peak_bytes(), 24 * kGiB);
  EXPECT_LT(made.stages[4].memory_bytes(), 18 * kGiB);
  EXPECT_LT(made.stages.back().memory_bytes(), 16 * kGiB);
}

// Anonymous memory while loading: the quantized size, the largest layer and at most a GiB.
TEST_F(LargePlan, LoadingTakesOneLayerAtATime) {
  const RunPlan made = plan(832, 480, 81);
  const StagePlan& loading = made.stages.front();
  EXPECT_EQ(loading.name, "LoadingStage");
  const uint64_t largest = kDim * kFeedForward * 2;
  EXPECT_EQ(bytes_of(loading, "preparing the largest layer"), largest);
  EXPECT_LE(loading.memory_bytes(), 2 * kExpertBytes + largest + kGiB);
  EXPECT_GE(loading.read_bytes, 2 * kElements * 2);  // both experts in bf16
}

TEST_F(LargePlan, TheWeightCacheIsDiskInsteadOfMemory) {
  const uint64_t without = plan(832, 480, 81).stages.front().memory_bytes();
  options_.quantization_cache = (folder_ / "cache").string();
  const RunPlan made = plan(832, 480, 81);
  EXPECT_EQ(made.stages.front().written_bytes, 2 * kExpertBytes);
  EXPECT_LT(made.stages.front().memory_bytes(), without - 2 * kExpertBytes + kGiB);
}

TEST_F(LargePlan, PlainWeightsStayInTheirFiles) {
  options_.quantization = "";
  const RunPlan made = plan(832, 480, 81);
  for (const StagePlan& stage : made.stages)
    EXPECT_TRUE(stage.name != "DenoisingStage" || stage.mapped_bytes >= kElements * 2);
  EXPECT_LT(made.stages.front().memory_bytes(), kGiB);
}

// Reading a vector here and there would bring in what lies around it: a good part of the file.
TEST_F(LargePlan, ReadsOnlyHeaders) {
  plan(832, 480, 81);
  const auto file = map_file(folder_ / "a14b/transformer/diffusion_pytorch_model.safetensors");
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> cached((file->bytes() + page - 1) / page);
  ASSERT_EQ(mincore(const_cast<void*>(file->data()), file->bytes(), cached.data()), 0);
  const auto pages = std::count_if(cached.begin(), cached.end(), [](auto c) { return c & 1; });
  EXPECT_LT(static_cast<size_t>(pages) * page, size_t{64} << 20);
}

}  // namespace
}  // namespace mxdit

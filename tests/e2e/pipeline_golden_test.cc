// Whole runs against diffusers: tests/goldens/pipeline, every tensor of the trace.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "checkpoint/weight_store.h"
#include "e2e/psnr.h"
#include "io/json_file.h"
#include "mxdit/engine.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;
const fs::path kGoldens = fs::path(MXDIT_SOURCE_DIR) / "tests/goldens/pipeline";

GenerateRequest request_of(const fs::path& folder) {
  const std::string file = (folder / "run.json").string();
  const Json run = read_json_file(folder / "run.json");
  GenerateRequest request;
  request.prompts = {required<std::string>(run, "prompt", file)};
  request.negative_prompt = optional_or<std::string>(run, "negative_prompt", "", file);
  request.height = static_cast<int>(required<int64_t>(run, "height", file));
  request.width = static_cast<int>(required<int64_t>(run, "width", file));
  request.num_frames = static_cast<int>(required<int64_t>(run, "num_frames", file));
  request.num_inference_steps =
      static_cast<int>(required<int64_t>(run, "num_inference_steps", file));
  request.guidance_scale = required<double>(run, "guidance_scale", file);
  if (!run["guidance_scale_2"].is_null())
    request.guidance_scale_2 = required<double>(run, "guidance_scale_2", file);
  request.seed = static_cast<uint64_t>(required<int64_t>(run, "seed", file));
  request.max_sequence_length =
      static_cast<int>(required<int64_t>(run, "max_sequence_length", file));
  return request;
}

// In the golden to help find a difference; not part of mxdit's trace.
const std::set<std::string> kNotTraced = {"vae_input"};

// UniPC's time steps are integers in PyTorch.
Tensor as_f32(const Tensor& tensor) {
  if (tensor.dtype() != DType::i64) return tensor;
  Tensor result = Tensor::host(DType::f32, tensor.shape());
  for (int64_t i = 0; i < tensor.elements(); ++i)
    result.as_mutable<float>()[i] = static_cast<float>(tensor.as<int64_t>()[i]);
  return result;
}

struct Outcome {
  GenerateResult result;
  WeightStore trace;
};

Outcome run(const fs::path& model, GenerateRequest request, const std::string& dtype, int threads,
        const std::string& tag) {
  EngineOptions options;
  options.model_path = model.string();
  options.dtype = dtype;
  options.threads = threads;
  const fs::path trace = fs::path(testing::TempDir()) / ("trace_" + tag + ".safetensors");
  request.trace_path = trace.string();
  Engine engine(options);
  GenerateResult result = engine.generate(request);
  return {std::move(result), WeightStore::open(trace)};
}

class PipelineGolden : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder_ = kGoldens / GetParam();
};

TEST_P(PipelineGolden, EveryTensorOfTheTraceAgrees) {
  const WeightStore golden = WeightStore::open(folder_ / "trace.safetensors");
  const Outcome made = run(folder_, request_of(folder_), "fp32", 2, GetParam());
  int64_t compared = 0;
  for (const std::string& name : golden.names()) {
    if (kNotTraced.contains(name)) continue;
    const Tensor expected = golden.get(name);
    ASSERT_TRUE(made.trace.contains(name)) << name;
    const Tensor got = made.trace.get(name);
    if (got.dtype() == DType::i64) {
      ASSERT_EQ(got.shape(), expected.shape()) << name;
      EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.bytes()), 0) << name;
    } else {
      EXPECT_LE(relative_distance(got, as_f32(expected)), 1e-4) << name;
    }
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int64_t>(made.trace.names().size()));
  const double frames = psnr(made.trace.get("frames"), golden.get("frames"));
  RecordProperty("frames_psnr_db", std::to_string(frames));
  std::printf("%s: frames %.1f dB against diffusers\n", GetParam(), frames);
  EXPECT_GE(frames, 50.0);
}

TEST_P(PipelineGolden, Bf16StaysCloseToFp32) {
  const GenerateRequest request = request_of(folder_);
  const Outcome exact = run(folder_, request, "fp32", 2, std::string(GetParam()) + "_32");
  const Outcome rounded = run(folder_, request, "bf16", 2, std::string(GetParam()) + "_16");
  const double frames = psnr(rounded.trace.get("frames"), exact.trace.get("frames"));
  std::printf("%s: bf16 frames %.1f dB against fp32\n", GetParam(), frames);
  EXPECT_GE(frames, 35.0);
}

TEST_P(PipelineGolden, SameSeedSameBytesAtAnyThreadCount) {
  for (const char* dtype : {"fp32", "bf16"}) {
    const GenerateRequest request = request_of(folder_);
    const Outcome one = run(folder_, request, dtype, 1, "one");
    for (const int threads : {2, 3}) {
      const Outcome more = run(folder_, request, dtype, threads, "more");
      for (const std::string& name : one.trace.names())
        EXPECT_EQ(std::memcmp(one.trace.get(name).data(), more.trace.get(name).data(),
                              one.trace.get(name).bytes()),
                  0)
            << dtype << " " << name << " " << threads;
      EXPECT_EQ(one.result.videos[0].video.rgb, more.result.videos[0].video.rgb);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, PipelineGolden, testing::Values("moe", "single"),
                         [](const auto& golden) { return std::string(golden.param); });

class EngineBehaviour : public testing::Test {
 protected:
  fs::path model_ = kGoldens / "moe";
  GenerateRequest request_ = request_of(model_);
};

// Several prompts of different length, one of them empty: each video is the one of a run of its own.
TEST_F(EngineBehaviour, VideosOfOneCallDoNotDependOnEachOther) {
  request_.num_inference_steps = 3;
  request_.prompts = {"a bird", "", "a long prompt about a lake, mist, mountains and warm light"};
  const Outcome together = run(model_, request_, "fp32", 2, "together");
  ASSERT_EQ(together.result.videos.size(), 3u);
  EXPECT_EQ(together.trace.get("prompt_embeds").dim(0), 3);
  EXPECT_EQ(together.trace.get("frames").dim(0), 3);
  for (size_t i = 0; i < 3; ++i) {
    GenerateRequest alone = request_;
    alone.prompts = {request_.prompts[i]};
    alone.seed = *request_.seed + i;
    const Outcome single = run(model_, alone, "fp32", 1, "single");
    EXPECT_EQ(single.result.videos[0].video.rgb, together.result.videos[i].video.rgb) << i;
    EXPECT_EQ(together.result.videos[i].seed, *alone.seed);
  }
}

TEST_F(EngineBehaviour, LatentsGoOutAndComeBack) {
  const std::string saved = testing::TempDir() + "saved_latents.safetensors";
  request_.num_inference_steps = 2;
  request_.save_latents_path = saved;
  const Outcome first = run(model_, request_, "fp32", 2, "first");
  GenerateRequest decode = request_;
  decode.save_latents_path.clear();
  decode.from_latents_path = saved;
  const Outcome second = run(model_, decode, "fp32", 2, "second");
  EXPECT_EQ(first.result.videos[0].video.rgb, second.result.videos[0].video.rgb);
  EXPECT_FALSE(second.trace.contains("prompt_embeds"));
}

TEST_F(EngineBehaviour, StartsFromLatentsOfAFile) {
  const WeightStore golden = WeightStore::open(model_ / "trace.safetensors");
  const std::string file = testing::TempDir() + "start_latents.safetensors";
  // The golden's start noise under another seed gives the golden's run.
  {
    Engine engine([&] {
      EngineOptions options;
      options.model_path = model_.string();
      options.dtype = "fp32";
      return options;
    }());
    GenerateRequest source = request_;
    source.num_inference_steps = 1;
    source.trace_path = testing::TempDir() + "start_trace.safetensors";
    source.save_latents_path = file;
    engine.generate(source);
    source.save_latents_path.clear();
    source.latents_path = file;
    source.seed = 7;
    engine.generate(source);
    const WeightStore trace = WeightStore::open(source.trace_path);
    EXPECT_EQ(relative_distance(trace.get("latents_init"),
                                WeightStore::open(file).get("latents")),
              0.0);
  }
}

TEST_F(EngineBehaviour, ReportsEveryStageOnce) {
  EngineOptions options;
  options.model_path = model_.string();
  Engine engine(options);
  std::vector<std::string> begun;
  int64_t steps = 0;
  const GenerateResult result = engine.generate(request_, [&](const Progress& p) {
    if (p.event == Progress::Event::stage_begin) begun.push_back(p.stage);
    if (p.event == Progress::Event::step && p.stage == "denoise") steps = p.step;
  });
  EXPECT_EQ(begun, (std::vector<std::string>{"load", "encode_text", "denoise", "decode"}));
  EXPECT_EQ(steps, 6);
  ASSERT_EQ(result.report.stages.size(), 4u);
  EXPECT_EQ(result.report.stages[2].name, "DenoisingStage");
  EXPECT_EQ(result.report.denoise_step_seconds.size(), 6u);
  EXPECT_GT(result.report.peak_resident_bytes, 0u);
  EXPECT_EQ(result.videos[0].metadata.at("seed"), "42");
  EXPECT_EQ(result.videos[0].metadata.at("model_hash").size(), 64u);
}

TEST_F(EngineBehaviour, StopsWithinAStep) {
  EngineOptions options;
  options.model_path = model_.string();
  Engine engine(options);
  CancelToken cancel;
  int64_t last = 0;
  try {
    engine.generate(
        request_,
        [&](const Progress& p) {
          if (p.stage != "denoise" || p.event != Progress::Event::step) return;
          last = p.step;
          if (p.step == 2) cancel.cancel();
        },
        &cancel);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
  }
  EXPECT_EQ(last, 2);
}

TEST_F(EngineBehaviour, RefusesARunThatWillNotFitWithTheNumber) {
  EngineOptions options;
  options.model_path = model_.string();
  options.max_memory_bytes = uint64_t{64} << 20;
  Engine engine(options);
  request_.width = request_.height = 4096;
  request_.num_frames = 401;
  bool loaded = false;
  try {
    engine.generate(request_, [&](const Progress&) { loaded = true; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    EXPECT_NE(std::string(error.what()).find("expected at most 0.06 GiB (--max-memory)"),
              std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(loaded);
}

}  // namespace
}  // namespace mxdit

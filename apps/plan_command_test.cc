#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_engine.h"
#include "generate_arguments.h"
#include "program.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

RunPlan sample(bool fits) {
  RunPlan plan;
  plan.stages.push_back(
      {"LoadingStage", "", {{"weights", 4 * kMiB}, {"layer", kMiB}}, 8 * kMiB, 9 * kMiB, 2 * kMiB});
  plan.stages.push_back({"DenoisingStage",
                         "transformer_2",
                         {{"weights", 4 * kMiB}, {"activations", 3 * kMiB}},
                         8 * kMiB,
                         8 * kMiB});
  plan.available_bytes = fits ? 8 * kMiB : 6 * kMiB;
  plan.is_limit = true;
  plan.fits = fits;
  if (!fits) plan.refusal = "[engine] memory: expected 6, got 7";
  return plan;
}

class PlanCommandTest : public testing::Test {
 protected:
  void SetUp() override { fake_engine() = FakeEngine(); }
  int plan(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "plan");
    std::ostringstream out, err;
    const int status = run_program(arguments, {out, err, false});
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  void expect_line(const std::string& part) {
    EXPECT_NE(out_.find(part + "\n"), std::string::npos) << part << "\n" << out_;
  }
  std::string out_, err_;
};

TEST_F(PlanCommandTest, ShowsCommonPartsOnceAndTheVerdict) {
  fake_engine().plan = sample(true);
  EXPECT_EQ(plan({"a bird", "--width", "64", "--quantization", "fake4"}), 0);
  EXPECT_EQ(err_, "");
  EXPECT_EQ(fake_engine().options.quantization, "fake4");
  EXPECT_EQ(fake_engine().request.prompts, std::vector<std::string>{"a bird"});
  EXPECT_EQ(fake_engine().request.width, 64);
  EXPECT_EQ(fake_engine().generated, 0);
  expect_line(
      "  stage                             memory  mapped files  disk read  disk written\n"
      "  in every stage                  4.00 MiB\n"
      "    weights                       4.00 MiB\n"
      "  LoadingStage                    5.00 MiB      8.00 MiB   9.00 MiB      2.00 MiB\n"
      "    layer                         1.00 MiB\n"
      "  DenoisingStage (transformer_2)  7.00 MiB      8.00 MiB   8.00 MiB\n"
      "    activations                   3.00 MiB");
}

TEST_F(PlanCommandTest, AvailableAndDisk) {
  fake_engine().plan = sample(true);
  EXPECT_EQ(plan({"a bird"}), 0);
  expect_line("peak       7.00 MiB (7340032 bytes), in DenoisingStage (transformer_2)");
  expect_line("available  8.00 MiB (--max-memory): fits, 88 % of it, 1.00 MiB left");
  expect_line("disk       at most 17.0 MiB read, about 2.00 MiB written");
  fake_engine().plan.is_limit = false;
  fake_engine().plan.on_device = true;
  EXPECT_EQ(plan({"a bird"}), 0);
  expect_line("available  8.00 MiB on the device now: fits, 88 % of it, 1.00 MiB left");

  fake_engine().plan.available_bytes.reset();
  EXPECT_EQ(plan({"a bird"}), 0);
  expect_line("available  the system does not tell what is available");
}

TEST_F(PlanCommandTest, ARunThatDoesNotFitHasTheStatusAndTheWordsOfGenerate) {
  fake_engine().plan = sample(false);
  EXPECT_EQ(plan({"a bird"}), 6);
  expect_line("available  6.00 MiB (--max-memory): does not fit, 117 % of it, 1.00 MiB too much");
  EXPECT_EQ(err_, "mxdit: error: [engine] memory: expected 6, got 7\n");
}

TEST_F(PlanCommandTest, AsJson) {
  fake_engine().plan = sample(false);
  EXPECT_EQ(plan({"a bird", "b", "--json"}), 6);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["peak_bytes"], 7 * kMiB);
  EXPECT_EQ(json["peak_stage"], "DenoisingStage (transformer_2)");
  EXPECT_EQ(json["available_bytes"], 6 * kMiB);
  EXPECT_EQ(json["available_is_limit"], true);
  EXPECT_EQ(json["fits"], false);
  EXPECT_EQ(json["refusal"], "[engine] memory: expected 6, got 7");
  EXPECT_EQ(json["settings"]["width"], 32);
  EXPECT_EQ(json["settings"]["prompts"], 2);
  ASSERT_EQ(json["stages"].size(), 2u);
  EXPECT_TRUE(json["stages"][0]["component"].is_null());
  EXPECT_EQ(json["stages"][1]["component"], "transformer_2");
  EXPECT_EQ(json["stages"][0]["written_bytes"], 2 * kMiB);
  EXPECT_EQ(json["stages"][1]["memory"][1]["what"], "activations");
  EXPECT_EQ(json["stages"][1]["memory"][1]["bytes"], 3 * kMiB);
  fake_engine().plan = sample(true);
  EXPECT_EQ(plan({"a bird", "--json", "false"}), 0);
  EXPECT_EQ(out_.find('{'), std::string::npos);
}

TEST_F(PlanCommandTest, NeedsNoPrompt) {
  fake_engine().plan = sample(true);
  EXPECT_EQ(plan({"--max-sequence-length", "7"}), 0);
  EXPECT_EQ(fake_engine().request.prompts, std::vector<std::string>{"xxxxxxx"});
  EXPECT_EQ(plan({"--from-latents", "l.safetensors"}), 0);
  EXPECT_TRUE(fake_engine().request.prompts.empty());
}

TEST_F(PlanCommandTest, TakesAnyCommandLineOfGenerate) {
  fake_engine().plan = sample(true);
  const TemporaryFolder folder;
  const std::string config = folder.write("run.yaml", "prompt: a\ngenerate:\n  num-frames: 13\n");
  EXPECT_EQ(plan({"--config", config, "--720p", "--max-memory", "0.5", "--output-path", "o",
                  "--output-quality", "high", "--progress", "json", "--seed", "3"}),
            0)
      << err_;
  EXPECT_EQ(fake_engine().request.num_frames, 13);
  EXPECT_EQ(fake_engine().request.width, 1280);
  EXPECT_EQ(fake_engine().options.max_memory_bytes, 512 * kMiB);
  EXPECT_EQ(fake_engine().planned_encoding.quality, 90);
  EXPECT_FALSE(std::filesystem::exists("o"));
  EXPECT_EQ(plan({"--jsn"}), 2);
  EXPECT_NE(err_.find("--json"), std::string::npos) << err_;
}

TEST_F(PlanCommandTest, WarnsOnStandardError) {
  fake_engine().plan = sample(true);
  fake_engine().plan.warning = "files are read again";
  EXPECT_EQ(plan({"a", "--json"}), 0);
  EXPECT_EQ(err_, "warning: files are read again\n");
  EXPECT_EQ(nlohmann::json::parse(out_)["refusal"], nullptr);
}

TEST_F(PlanCommandTest, Help) {
  EXPECT_EQ(plan({"--help"}), 0);
  for (const char* part : {"usage: mxdit plan", "--json", "--max-memory", "6 it does not"})
    EXPECT_NE(out_.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace mxdit::cli

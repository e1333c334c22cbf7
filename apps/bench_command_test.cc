#include "bench_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "expect_error.h"
#include "fake_engine.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string run(const std::vector<std::string>& arguments, const std::string& lines = "") {
  std::ostringstream out, err;
  std::istringstream in(lines);
  fake_engine() = {};
  EXPECT_EQ(run_bench(arguments, {out, err}, in), 0);
  return out.str();
}

TEST(BenchCommand, HandsOverCases) {
  run({"linear", "--tokens", "5", "--in", "6", "--out=7"});
  EXPECT_THAT(fake_engine().benchmarks, ElementsAre("linear tokens=5 in=6 out=7"));
  run({"linear", "--shape", "wan", "--tokens", "5"});
  EXPECT_THAT(fake_engine().benchmarks,
              ElementsAre("linear tokens=5 in=1 out=2", "linear tokens=5 in=3 out=4"));
  run({"attention", "--keys", "512", "--heads", "3", "--head_dim", "64"});
  EXPECT_THAT(fake_engine().benchmarks,
              ElementsAre("attention tokens=4680 keys=512 heads=3 head_dim=64"));
  run({"vae", "--shape", "small", "--num-frames", "5", "--height", "16", "--width", "24"});
  EXPECT_THAT(fake_engine().benchmarks,
              ElementsAre("vae model_path= shape=small num_frames=5 height=16 width=24"));
  run({"dit", "--model-path", "m", "--text-tokens", "9", "--encode-text"});
  EXPECT_THAT(fake_engine().benchmarks,
              ElementsAre("dit model_path=m shape= layers=0 tokens=0 num_frames=9 height=480 "
                          "width=832 text_tokens=9 encode_text=true"));
  run({"dit", "--layers", "2", "--tokens", "1024", "--shape", "large"});
  EXPECT_THAT(fake_engine().benchmarks,
              ElementsAre("dit model_path= shape=large layers=2 tokens=1024 num_frames=9 "
                          "height=480 width=832 text_tokens=512 encode_text=false"));
}

TEST(BenchCommand, HandsOverTheMachine) {
  run({"dit", "--isa", "scalar", "--threads", "3", "--dtype", "fp32", "--quantization", "mxfp8",
       "--attention-precision", "int8",
       "--device", "abacus"});
  const BenchOptions& options = fake_engine().bench_options;
  EXPECT_EQ(options.isa, "scalar");
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.dtype, "fp32");
  EXPECT_EQ(options.attention_precision, "int8");
  EXPECT_EQ(options.quantization, "mxfp8");
  EXPECT_EQ(options.device, "abacus");
}

TEST(BenchCommand, CountsRuns) {
  run({"attention"});
  EXPECT_EQ(fake_engine().bench_runs, 6);
  run({"attention", "--repeat", "2", "--warmup", "0"});
  EXPECT_EQ(fake_engine().bench_runs, 2);
}

TEST(BenchCommand, JsonOfOneCase) {
  const json report = json::parse(run({"dit", "--repeat", "4", "--threads", "2", "--json"}));
  EXPECT_EQ(report["command"], "dit");
  EXPECT_EQ(report["forward_seconds"], json({2.0, 3.0, 4.0, 5.0}));
  EXPECT_EQ(report["seconds"], report["forward_seconds"]);
  EXPECT_EQ(report["min"], 2.0);
  EXPECT_EQ(report["median"], 3.5);
  EXPECT_EQ(report["max"], 5.0);
  EXPECT_DOUBLE_EQ(report["tflops"].get<double>(), 6 / 3.5);
  EXPECT_EQ(report["parts"]["second"], json({1.5, 2.25, 3.0, 3.75}));
  EXPECT_EQ(report["text_tokens"], 512);
  EXPECT_EQ(report["encode_text"], false);
  EXPECT_EQ(report["device"], "fake device");
  EXPECT_EQ(report["isa"], "fake");
  EXPECT_EQ(report["threads"], 2);
  EXPECT_EQ(report["version"], "9.8.7");
  EXPECT_EQ(report["quantization"], "none");
  EXPECT_EQ(report["dtype"], "bf16");
  EXPECT_EQ(report["peak_resident_bytes"], 64 << 20);
  EXPECT_TRUE(report["peak_anonymous_bytes"].is_null());
}

TEST(BenchCommand, JsonOfSeveralCasesInAFile) {
  TemporaryFolder folder;
  const std::string path = folder.path("bench.json");
  const std::string text = run({"linear", "--shape", "wan", "--json", path, "--repeat", "1"});
  EXPECT_THAT(text, HasSubstr("median ms"));
  std::ifstream file(path);
  const json report = json::parse(file);
  ASSERT_EQ(report["cases"].size(), 2u);
  EXPECT_EQ(report["cases"][1]["in"], 3);
  EXPECT_EQ(report["cases"][1]["seconds"], json({4.0}));
  EXPECT_FALSE(report["cases"][1].contains("forward_seconds"));
  for (const char* name : {"missing/bench.json", ""}) {
    expect_error(ErrorKind::io, {"--json", "writable"},
                 [&] { run({"linear", "--json", folder.path(name)}); });
    EXPECT_EQ(fake_engine().bench_runs, 0) << "it has to be noticed before the work";
  }
  EXPECT_THAT(folder.names(), ElementsAre("bench.json"));
}

TEST(BenchCommand, TableForPeople) {
  const std::string text = run({"linear", "--repeat", "3", "--quantization", "mxfp8"});
  for (const char* part : {"linear, bf16, quantization mxfp8; fake device", "tokens", "4680",
                           "3000", "2000", "4000", "2.000", "first ms", "750.0", "64.0 MiB"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(BenchCommand, PacedAnswersEveryLine) {
  TemporaryFolder folder;
  const std::string path = folder.path("bench.json");
  std::istringstream out(run({"dit", "--paced", "--json", path}, "\nrun\nlast without an end"));
  std::vector<json> answers;
  for (std::string line; std::getline(out, line);) answers.push_back(json::parse(line));
  ASSERT_EQ(answers.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(answers[i]["run"], i + 1);
    EXPECT_EQ(answers[i]["seconds"], i + 2.0);  // after one to warm up
    EXPECT_EQ(answers[i]["parts"]["first"], (i + 2.0) / 4);
    EXPECT_EQ(answers[i]["isa"], "fake");
  }
  std::ifstream file(path);
  EXPECT_EQ(json::parse(file)["forward_seconds"], json({2.0, 3.0, 4.0}));
  EXPECT_EQ(run({"dit", "--paced"}, ""), "");
}

TEST(BenchCommand, Peaks) {
  EXPECT_THAT(run({"peak"}), HasSubstr("2.000"));
  const json report = json::parse(run({"peak", "--json", "--threads", "2"}));
  EXPECT_EQ(
      report["peaks"][0],
      json({{"isa", "fake"}, {"type", "fp32"}, {"threads", 2}, {"operations_per_second", 2e12}}));
}

TEST(BenchCommand, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const std::vector<std::string>& arguments, const std::string& text) {
    expect_error(ErrorKind::usage, {text}, [&] { run(arguments); });
  };
  refused({}, "expected one of attention, dit, linear, peak, vae, got none");
  refused({"liner"}, "the nearest known one is linear");
  refused({"linear", "--heads", "3"}, "--heads");
  refused({"linear", "--tokens", "0"}, "--tokens");
  refused({"linear", "--shape", "tiny"}, "--shape: expected wan");
  refused({"linear", "--shape", "wan", "--in", "3"}, "--in");
  refused({"linear", "--shape", "wan", "--paced"}, "--paced: expected one case, got 2");
  refused({"dit", "--paced", "--repeat", "3"}, "--repeat");
  refused({"dit", "--tokens", "16", "--height", "32"}, "--height");
  refused({"attention", "--quantization", "mxfp8"}, "--quantization");
  refused({"vae", "more"}, "more");
  refused({"peak", "--repeat", "3"}, "--repeat");
}

TEST(BenchCommand, Helps) {
  const std::string help = run({"--help"});
  for (const char* text : {"--tokens", "--paced", "--json [FILE]", "fake4", "small, large", "peak"})
    EXPECT_THAT(help, HasSubstr(text));
}

}  // namespace
}  // namespace mxdit::cli

#include "quantize_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_engine.h"
#include "program.h"

namespace mxdit::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

class QuantizeCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    fake_engine() = FakeEngine();
    QuantizedComponentReport part;
    part.name = "transformer";
    part.tensors = 1500;
    part.files = 2;
    part.types = {{"W8A8_MXFP8", 50, 4'000'000'000, 2'100'000'000, 0.0271, 0.0302},
                  {"FLOAT", 1, 500'000'000, 500'000'000, 0, 0}};
    part.layers = {{"blocks.0.attn1.to_q", "W8A8_MXFP8", "", 0.0271},
                   {"proj_out", "FLOAT", "stays plain without --proj-out", 0}};
    part.warnings = {"three layers are odd"};
    fake_engine().quantize_summary.components = {part};
    fake_engine().quantize_summary.copied_files = 12;
    fake_engine().quantize_summary.copied_bytes = 1 << 20;
    fake_engine().quantize_summary.seconds = 2.5;
  }

  int quantize(Texts arguments) {
    arguments.insert(arguments.begin(), "quantize");
    std::ostringstream out, err;
    const int status = run_program(arguments, {out, err, false});
    out_ = out.str();
    err_ = err.str();
    return status;
  }

  std::string out_, err_;
};

TEST_F(QuantizeCommandTest, PassesTheFlagsOn) {
  EXPECT_EQ(quantize({"--model_path=m",
                      "--output-path",
                      "o",
                      "--type",
                      "A",
                      "--rule",
                      "other",
                      "--keep",
                      "blocks.0",
                      "to_q",
                      "--proj-out",
                      "--container",
                      "--names",
                      "original",
                      "--max-shard-size",
                      "0.25",
                      "--threads",
                      "3",
                      "--isa",
                      "scalar",
                      "--device",
                      "d",
                      "--force"}),
            0)
      << err_;
  const QuantizeModelOptions& options = fake_engine().quantize_options;
  EXPECT_EQ(options.model_path, "m");
  EXPECT_EQ(options.output_path, "o");
  EXPECT_EQ(options.type, "A");
  EXPECT_EQ(options.rule, "other");
  EXPECT_THAT(options.keep, ElementsAre("blocks.0", "to_q"));
  EXPECT_EQ(options.max_shard_bytes, 250'000'000u);
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.isa, "scalar");
  EXPECT_EQ(options.device, "d");
  EXPECT_TRUE(options.proj_out && options.container && options.original_names && options.force);
  EXPECT_FALSE(options.mxfp8_blocks);
  EXPECT_EQ(quantize({"--output-path", "o", "--mxfp8-blocks", "0"}), 0);
  EXPECT_EQ(fake_engine().quantize_options.mxfp8_blocks, 0);
}

TEST_F(QuantizeCommandTest, TakesTheEmbeddedModelAndSaysSo) {
  EXPECT_EQ(quantize({"--output-path", "o"}), 0);
  EXPECT_EQ(fake_engine().quantize_options.model_path, "models/fake");
  EXPECT_THAT(err_, HasSubstr("comes with mxdit"));
}

TEST_F(QuantizeCommandTest, PrintsATable) {
  EXPECT_EQ(quantize({"--model-path", "m", "--output-path", "o"}), 0);
  for (const char* text :
       {"W8A8_MXFP8      50", "3.73 GiB", "1.96 GiB", "1.90", "2.71 %", "3.02 %", "FLOAT",
        "all             51", "copied: 12 files, 1.00 MiB", "done in 2.5 s: o", "|W - decoded|"})
    EXPECT_THAT(out_, HasSubstr(text));
  EXPECT_THAT(err_, HasSubstr("warning: transformer: three layers are odd"));
}

TEST_F(QuantizeCommandTest, PrintsJson) {
  EXPECT_EQ(quantize({"--model-path", "m", "--output-path", "o", "--json", "--progress", "none"}),
            0);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["path"], "o");
  EXPECT_FALSE(json.contains("event"));
  const auto& part = json["components"][0];
  EXPECT_EQ(part["types"][0]["bytes_after"], 2'100'000'000);
  EXPECT_EQ(part["types"][0]["mean_relative_error"], 0.0271);
  EXPECT_EQ(part["layers"][1]["reason"], "stays plain without --proj-out");
  EXPECT_EQ(part["warnings"][0], "three layers are odd");
}

TEST_F(QuantizeCommandTest, JsonLinesEndWithTheSummary) {
  EXPECT_EQ(quantize({"--model-path", "m", "--output-path", "o", "--progress", "json"}), 0);
  std::istringstream lines(out_);
  Texts events;
  for (std::string line; std::getline(lines, line);)
    events.push_back(nlohmann::json::parse(line)["event"]);
  EXPECT_EQ(events.front(), "stage_begin");
  EXPECT_EQ(events.back(), "summary");
}

TEST_F(QuantizeCommandTest, RefusesWhatCannotBeMeant) {
  EXPECT_EQ(quantize({"--model-path", "m"}), 2);
  EXPECT_THAT(err_, HasSubstr("--output-path"));
  EXPECT_EQ(quantize({"--output-path", "o", "--rule", "best"}), 2);
  EXPECT_THAT(err_, HasSubstr("--rule"));
  EXPECT_EQ(quantize({"--output-path", "o", "--mxfp8-blocks", "-1"}), 2);
  EXPECT_THAT(err_, HasSubstr("--mxfp8-blocks"));
  EXPECT_EQ(quantize({"--output-path", "o", "--tipe", "A"}), 2);
  EXPECT_THAT(err_, HasSubstr("--type"));
  EXPECT_TRUE(out_.empty());
}

TEST_F(QuantizeCommandTest, StopsOnASignal) {
  fake_engine().in_quantize = [] { std::raise(SIGINT); };
  EXPECT_EQ(quantize({"--model-path", "m", "--output-path", "o"}), 130);
  EXPECT_TRUE(out_.empty());
}

TEST_F(QuantizeCommandTest, Helps) {
  EXPECT_EQ(quantize({"--help"}), 0);
  for (const char* text : {"--mxfp8-blocks", "A, B", "other: another rule", "--names"})
    EXPECT_THAT(out_, HasSubstr(text));
}

}  // namespace
}  // namespace mxdit::cli

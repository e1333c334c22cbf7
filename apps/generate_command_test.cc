#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_engine.h"
#include "program.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

using Texts = std::vector<std::string>;

class GenerateCommandTest : public testing::Test {
 protected:
  void SetUp() override { fake_engine() = FakeEngine(); }

  int run(const Texts& arguments) {
    std::ostringstream out, err;
    const int status = run_program(arguments, {out, err, false});
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  int generate(Texts arguments) {
    arguments.insert(arguments.begin(), "generate");
    return run(arguments);
  }
  // Exactly one line that begins as errors do.
  void expect_error_line(const std::string& part) {
    EXPECT_NE(err_.find("mxdit: error: ["), std::string::npos) << err_;
    EXPECT_NE(err_.find(part), std::string::npos) << err_;
  }

  TemporaryFolder folder_;
  std::string out_, err_;
};

TEST_F(GenerateCommandTest, WritesTheVideoAndPrintsItsPath) {
  const std::string path = folder_.path("a.mp4");
  EXPECT_EQ(generate({"a prompt", "--output-file-path", path}), 0);
  EXPECT_EQ(out_, path + "\n");
  EXPECT_EQ(read_video_metadata(path).at("prompt"), "a prompt");
  for (const char* part : {"fake (embedded)", "comes with mxdit", "CPU: fake", "32x32, 5 frames",
                           "seed 42", "denoise: done", "500 ms per step"})
    EXPECT_NE(err_.find(part), std::string::npos) << part << "\n" << err_;
  EXPECT_EQ(err_.find("debug"), std::string::npos);
}

TEST_F(GenerateCommandTest, SeveralPromptsAndOutputs) {
  EXPECT_EQ(
      generate({"a", "b", "--num-outputs", "2", "--output-path", folder_.path("o"),
                "--output-file-name", "v.gif", "--progress", "none", "--log-level", "warning"}),
      0);
  EXPECT_TRUE(err_.empty()) << err_;
  for (const char* name : {"o/v_0.gif", "o/v_1.gif", "o/v_2.gif", "o/v_3.gif"})
    EXPECT_NE(out_.find(folder_.path(name) + "\n"), std::string::npos) << out_;
  EXPECT_EQ(read_video_metadata(folder_.path("o/v_3.gif")).at("seed"), "45");
}

TEST_F(GenerateCommandTest, NothingIsSavedWhenNotWanted) {
  EXPECT_EQ(generate({"a", "--no-save-output"}), 0);
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(fake_engine().generated, 1);
}

TEST_F(GenerateCommandTest, JsonHasStandardOutputForItself) {
  EXPECT_EQ(generate({"a", "--output-file-path", folder_.path("a.png"), "--num-frames", "1",
                      "--progress", "json"}),
            0);
  std::istringstream lines(out_);
  Texts events;
  for (std::string line; std::getline(lines, line);)
    events.push_back(nlohmann::json::parse(line)["event"]);
  EXPECT_EQ(events.front(), "stage_begin");
  EXPECT_EQ(events.back(), "file");
}

TEST_F(GenerateCommandTest, MistakesAreFoundBeforeTheRun) {
  EXPECT_EQ(generate({"a", "--output-file-path", "/proc/x/a.mp4"}), 7);
  expect_error_line("/proc/x/a.mp4");
  EXPECT_EQ(generate({"a", "--output-file-path", folder_.path("a.avi")}), 2);
  expect_error_line(".avi");
  EXPECT_EQ(generate({"a", "--perf-dump-path", "/proc/x/p.json", "--no-save-output"}), 7);
  expect_error_line("--perf-dump-path");
  EXPECT_EQ(generate({"a", "--output-file-path", folder_.path("a.png")}), 2);
  expect_error_line("one frame");
  EXPECT_EQ(generate({"a", "--sede", "3"}), 2);
  expect_error_line("--seed");
  EXPECT_EQ(fake_engine().generated, 0);
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(GenerateCommandTest, PerfDumpHasTheReferencesKeys) {
  const std::string path = folder_.path("p.json");
  EXPECT_EQ(generate({"a", "--no-save-output", "--perf-dump-path", path}), 0);
  std::ifstream in(path);
  const auto dump = nlohmann::json::parse(in);
  for (const char* key : {"timestamp", "request_id", "commit_hash", "versions"})
    EXPECT_TRUE(dump.contains(key)) << key;
  EXPECT_EQ(dump["tag"], "cli_generate");
  EXPECT_EQ(dump["total_duration_ms"], 2500);
  EXPECT_EQ(dump["steps"][1]["name"], "DenoisingStage");
  EXPECT_EQ(dump["steps"][1]["duration_ms"], 2000);
  EXPECT_EQ(dump["denoise_steps_ms"].size(), 4u);
  EXPECT_EQ(dump["denoise_steps_ms"][3]["step"], 3);
  EXPECT_EQ(dump["memory_checkpoints"]["after_forward"]["peak_resident_mb"], 64);
  EXPECT_TRUE(dump["memory_checkpoints"]["after_forward"]["peak_anonymous_mb"].is_null());
  EXPECT_EQ(dump["meta"]["prompt"], "a");
  EXPECT_EQ(dump["meta"]["model"], "fake (embedded)");
  EXPECT_EQ(folder_.names(), Texts{"p.json"});
}

TEST_F(GenerateCommandTest, CountersOfADeviceAreShownAndDumped) {
  const std::string path = folder_.path("p.json");
  EXPECT_EQ(generate({"a", "--no-save-output", "--perf-dump-path", path}), 0);
  EXPECT_EQ(err_.find("operator calls"), std::string::npos) << "the CPU has none";
  fake_engine().step_counters = {{900, 2, 30, 4096, 10}, {800, 1, 0, 0, 8}, {801, 1, 0, 0, 8}};
  EXPECT_EQ(generate({"a", "--no-save-output", "--perf-dump-path", path}), 0);
  EXPECT_NE(err_.find("device:   first step: operator calls 900, synchronizations 2, allocations 30; "
                      "later steps, at most: operator calls 801, synchronizations 1, allocations 0"),
            std::string::npos)
      << err_;
  std::ifstream in(path);
  const auto steps = nlohmann::json::parse(in)["denoise_steps_ms"];
  EXPECT_EQ(steps[0]["device"]["allocated_bytes"], 4096);
  EXPECT_EQ(steps[2]["device"]["operator_calls"], 801);
  EXPECT_FALSE(steps[3].contains("device"));
}

TEST_F(GenerateCommandTest, SignalsStopWithinAStep) {
  for (const int signal : {SIGINT, SIGTERM}) {
    int steps = 0;
    fake_engine().in_step = [&](const Progress&) {
      if (++steps == 2) std::raise(signal);
    };
    EXPECT_EQ(generate({"a", "--output-file-path", folder_.path("a.mp4")}), 130);
    EXPECT_EQ(steps, 2);
    expect_error_line("stopped");
    EXPECT_TRUE(folder_.names().empty());
  }
}

TEST_F(GenerateCommandTest, SignalsDuringTheLoadCount) {
  fake_engine().in_load = [] { std::raise(SIGINT); };
  EXPECT_EQ(generate({"a", "--output-file-path", folder_.path("a.mp4")}), 130);
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(GenerateCommandTest, ASecondSignalEndsAtOnce) {
  fake_engine().in_step = [](const Progress&) {
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(generate({"a", "--output-file-path", folder_.path("a.mp4")}),
              testing::ExitedWithCode(130), "stopping");
}

TEST_F(GenerateCommandTest, ExceptionsBecomeStatuses) {
  const auto status_of = [&](const std::function<void()>& thrower) {
    fake_engine().in_step = [&](const Progress&) { thrower(); };
    return generate({"a", "--no-save-output"});
  };
  EXPECT_EQ(status_of([] { throw std::bad_alloc(); }), 6);
  expect_error_line("[cli] memory");
  EXPECT_EQ(status_of([] { throw std::logic_error("x"); }), 70);
  EXPECT_EQ(status_of([] { throw Error(ErrorKind::bad_input, "[io] y"); }), 3);
  expect_error_line("[io] y");
}

TEST_F(GenerateCommandTest, HelpListsWhatThePromptsMayHold) {
  EXPECT_EQ(generate({"--help"}), 0);
  for (const char* part : {"colours: red, blue", "--seed", "Exit status", "130", "Examples"})
    EXPECT_NE(out_.find(part), std::string::npos) << part;
  std::istringstream lines(out_);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 90u) << line;
  EXPECT_EQ(generate({"--no-save-output", "--", "--help", "-h"}), 0);
  EXPECT_EQ(fake_engine().request.prompts, (Texts{"--help", "-h"}));
}

TEST_F(GenerateCommandTest, TheProgramItself) {
  EXPECT_EQ(run({}), 2);
  EXPECT_NE(err_.find("generate"), std::string::npos);
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_NE(out_.find("generate"), std::string::npos);
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(out_, "mxdit 9.8.7\n");
  EXPECT_EQ(run({"genrate", "x"}), 2);
  expect_error_line("the nearest known one is generate");
}

}  // namespace
}  // namespace mxdit::cli

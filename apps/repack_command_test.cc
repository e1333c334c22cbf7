#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_engine.h"
#include "program.h"

namespace mxdit::cli {
namespace {

using Texts = std::vector<std::string>;

class RepackCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    fake_engine() = FakeEngine();
    fake_engine().repack_summary.components = {
        {"transformer", 1095, 1093, 400, 14'310'000'000, 3, 1, {"seven tensors are odd"}},
        {"transformer_2", 7, 0, 0, 512, 1, 0, {}}};
    fake_engine().repack_summary.copied_files = 12;
    fake_engine().repack_summary.copied_bytes = 1'000'000;
    fake_engine().repack_summary.seconds = 2.5;
  }

  int repack(Texts arguments) {
    arguments.insert(arguments.begin(), "repack");
    std::ostringstream out, err;
    const int status = run_program(arguments, {out, err, false});
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  // With the required flags.
  int repack_with(Texts more) {
    Texts arguments = {"--model-type",  "T", "--quant-path",          "q",
                       "--output-path", "o", "--original-model-path", "m"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return repack(arguments);
  }

  std::string out_, err_;
};

TEST_F(RepackCommandTest, PassesTheFlagsOn) {
  EXPECT_EQ(
      repack({"--model_type=T", "--quant_path", "q", "--output-path", "o", "--original_model_path",
              "m", "--max-shard-size", "0.25", "--pack", "--force", "true"}),
      0);
  const RepackOptions& options = fake_engine().repack_options;
  EXPECT_EQ(options.model_type, "T");
  EXPECT_EQ(options.quant_path, "q");
  EXPECT_EQ(options.output_path, "o");
  EXPECT_EQ(options.original_model_path, "m");
  EXPECT_EQ(options.max_shard_bytes, 250'000'000u);
  EXPECT_TRUE(options.pack);
  EXPECT_TRUE(options.force);
  EXPECT_FALSE(options.reverse);
}

TEST_F(RepackCommandTest, Defaults) {
  EXPECT_EQ(repack_with({}), 0);
  EXPECT_EQ(fake_engine().repack_options.max_shard_bytes, 5'000'000'000u);
  EXPECT_FALSE(fake_engine().repack_options.pack);
  EXPECT_FALSE(fake_engine().repack_options.force);
}

TEST_F(RepackCommandTest, PrintsATable) {
  EXPECT_EQ(repack_with({"--progress", "none"}), 0);
  EXPECT_EQ(out_,
            "component      tensors  renamed  packed  files  kept     size\n"
            "transformer       1095     1093     400      3     1  14.3 GB\n"
            "transformer_2        7        0       0      1     0    512 B\n"
            "copied: 12 files, 1.0 MB\n"
            "done in 2.5 s: o\n");
  EXPECT_EQ(err_, "warning: seven tensors are odd\n");
}

TEST_F(RepackCommandTest, PlainProgress) {
  EXPECT_EQ(repack_with({"--progress", "plain"}), 0);
  for (const char* part : {"copy: begins", "copy: done", "transformer: done"})
    EXPECT_NE(err_.find(part), std::string::npos) << err_;
}

TEST_F(RepackCommandTest, JsonLinesOnly) {
  EXPECT_EQ(repack_with({"--progress", "json"}), 0);
  std::istringstream lines(out_);
  std::string line;
  nlohmann::json last;
  while (std::getline(lines, line)) last = nlohmann::json::parse(line);
  EXPECT_EQ(last["event"], "summary");
  EXPECT_EQ(last["path"], "o");
  EXPECT_EQ(last["components"][0]["packed"], 400);
  EXPECT_EQ(last["components"][0]["warnings"][0], "seven tensors are odd");
}

TEST_F(RepackCommandTest, MissingFlagsAreUsageErrors) {
  for (const char* flag :
       {"--model-type", "--quant-path", "--output-path", "--original-model-path"}) {
    Texts arguments;
    for (const char* other :
         {"--model-type", "--quant-path", "--output-path", "--original-model-path"})
      if (std::string(other) != flag) arguments.insert(arguments.end(), {other, "x"});
    EXPECT_EQ(repack(arguments), 2);
    EXPECT_NE(err_.find(std::string("mxdit: error: [cli] ") + flag + ": expected a value"),
              std::string::npos)
        << err_;
  }
  EXPECT_EQ(repack({"--reverse", "--model-type", "T", "--quant-path", "q", "--output-path", "o"}),
            0);
  EXPECT_TRUE(fake_engine().repack_options.reverse);
  EXPECT_EQ(repack_with({"--quantpath", "x"}), 2);
  EXPECT_NE(err_.find("--quant-path"), std::string::npos) << err_;
  EXPECT_EQ(repack_with({"--max-shard-size", "0"}), 2);
  EXPECT_EQ(repack_with({"stray"}), 2);
}

TEST_F(RepackCommandTest, Help) {
  EXPECT_EQ(repack({"--help"}), 0);
  for (const char* part : {"--model-type TYPE", "One of T, U", "mxdit repack --reverse", "--pack"})
    EXPECT_NE(out_.find(part), std::string::npos) << out_;
  EXPECT_TRUE(err_.empty());
}

TEST_F(RepackCommandTest, ASignalStopsTheRun) {
  fake_engine().in_repack = [] { std::raise(SIGINT); };
  EXPECT_EQ(repack_with({"--progress", "json"}), 130);
  EXPECT_NE(out_.find(R"("event":"error")"), std::string::npos) << out_;
  EXPECT_EQ(out_.find("summary"), std::string::npos);
}

TEST_F(RepackCommandTest, ASecondSignalWaitsUntilTheLibraryHasCleanedUp) {
  fake_engine().in_repack = [] {
    std::raise(SIGINT);
    std::raise(SIGINT);
    std::cerr << "cleaned up";
  };
  EXPECT_EXIT(repack_with({}), testing::ExitedWithCode(130), "cleaned up");
}

TEST_F(RepackCommandTest, ErrorsOfTheLibraryHaveTheirStatus) {
  fake_engine().in_repack = [] { throw Error(ErrorKind::bad_input, "[conversion] x: odd"); };
  EXPECT_EQ(repack_with({}), 3);
  EXPECT_NE(err_.find("mxdit: error: [conversion] x: odd\n"), std::string::npos) << err_;
  EXPECT_TRUE(out_.empty());
}

}  // namespace
}  // namespace mxdit::cli

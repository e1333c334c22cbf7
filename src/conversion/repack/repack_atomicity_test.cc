// A run that fails, is stopped or is killed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "conversion/repack/exported_model.h"
#include "io/expect_error.h"
#include "mxdit/repack.h"

namespace mxdit::conversion {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;

Files contents(const fs::path& folder) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[entry.path().lexically_relative(folder).string()] = text.str();
  }
  return files;
}

class RepackAtomicity : public ::testing::Test {
 protected:
  RepackAtomicity() {
    write_original_model(folder_, "original", true);
    model_.write(folder_ / "exported/high_noise_model");
    model_.write(folder_ / "exported/low_noise_model");
    options_.model_type = "Wan2.2-T2V-A14B";
    options_.original_model_path = (folder_ / "original").string();
    options_.quant_path = (folder_ / "exported").string();
    options_.output_path = (folder_ / "out").string();
    options_.max_shard_bytes = 400'000;
  }

  bool nothing_left() const {
    return !fs::exists(folder_ / "out") && !fs::exists(folder_ / ".out.partial");
  }

  // Ends the process without any clean-up when transformer_2 begins. By then transformer is whole.
  void run_killed() const {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        repack(options_, [](const Progress& progress) {
          if (progress.stage == "transformer_2") _exit(9);
        });
      } catch (const std::exception&) {
        _exit(2);
      }
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 9);
    ASSERT_TRUE(fs::exists(folder_ / ".out.partial/transformer"));
    ASSERT_FALSE(fs::exists(folder_ / "out"));
  }

  TemporaryFolder folder_;
  ExportedModel model_;
  RepackOptions options_;
};

TEST_F(RepackAtomicity, CancellationAtAnyPointLeavesNothing) {
  int events = 0;
  const RepackSummary summary = repack(options_, [&](const Progress&) { ++events; });
  EXPECT_GT(summary.components[1].shards, 1);
  fs::remove_all(folder_ / "out");
  ASSERT_GE(events, 7);
  for (int stop = -1; stop < events; ++stop) {
    SCOPED_TRACE(stop);
    CancelToken cancel;
    if (stop < 0) cancel.cancel();
    int event = 0;
    const auto sink = [&](const Progress&) {
      EXPECT_FALSE(fs::exists(folder_ / "out"));
      if (event++ == stop) cancel.cancel();
    };
    expect_error(ErrorKind::cancelled, {"stopped"}, [&] { repack(options_, sink, &cancel); });
    EXPECT_TRUE(nothing_left());
  }
}

TEST_F(RepackAtomicity, AnExceptionOfTheSinkLeavesNothing) {
  const auto sink = [](const Progress& progress) {
    if (progress.stage == "transformer_2") throw std::runtime_error("of the sink");
  };
  EXPECT_THROW(repack(options_, sink), std::runtime_error);
  EXPECT_TRUE(nothing_left());
}

TEST_F(RepackAtomicity, ProgressEndsWhereItSays) {
  std::vector<std::string> ended;
  Progress last;
  repack(options_, [&](const Progress& progress) {
    if (progress.event == Progress::Event::stage_begin) last = progress;
    EXPECT_EQ(progress.stage, last.stage);
    EXPECT_GE(progress.step, last.step);
    EXPECT_LE(progress.step, progress.total);
    if (progress.event == Progress::Event::stage_end) ended.push_back(progress.stage);
    last = progress;
  });
  EXPECT_EQ(last.step, last.total);
  EXPECT_EQ(ended, (std::vector<std::string>{"copy", "transformer", "transformer_2"}));
}

TEST_F(RepackAtomicity, AKilledRunIsResumed) {
  run_killed();
  expect_error(ErrorKind::usage, {".out.partial", "--force resumes it"}, [&] { repack(options_); });
  const fs::path partial = folder_ / ".out.partial/transformer";
  std::ofstream(partial / ".diffusion_pytorch_model-00001.safetensors.1.0.tmp") << "half";
  options_.force = true;
  const RepackSummary resumed = repack(options_);
  EXPECT_EQ(resumed.components[0].kept_shards, resumed.components[0].shards);
  EXPECT_EQ(resumed.components[1].kept_shards, 0);
  const Files files = contents(folder_ / "out");
  fs::remove_all(folder_ / "out");
  options_.force = false;
  repack(options_);
  EXPECT_TRUE(contents(folder_ / "out") == files);
}

TEST_F(RepackAtomicity, OnlyCompleteShardsAreKept) {
  run_killed();
  const fs::path partial = folder_ / ".out.partial/transformer";
  fs::path damaged;
  for (const auto& entry : fs::directory_iterator(partial))
    if (entry.path().extension() == ".safetensors") damaged = entry.path();
  fs::resize_file(damaged, fs::file_size(damaged) - 1);
  options_.force = true;
  const RepackedComponent component = repack(options_).components[0];
  EXPECT_EQ(component.kept_shards, component.shards - 1);
}

TEST_F(RepackAtomicity, OtherInputsOrSettingsAreNotResumed) {
  run_killed();
  options_.force = true;
  options_.pack = true;
  EXPECT_EQ(repack(options_).components[0].kept_shards, 0);
  fs::remove_all(folder_ / "out");
  options_.force = options_.pack = false;
  run_killed();
  static_cast<uint8_t*>(model_.tensors.at("head.modulation").mutable_data())[0] ^= 1;
  model_.write(folder_ / "exported/high_noise_model");
  options_.force = true;
  EXPECT_EQ(repack(options_).components[0].kept_shards, 0);
  const WeightStore store = WeightStore::open(folder_ / "out/transformer");
  EXPECT_EQ(std::memcmp(store.get("scale_shift_table").data(),
                        model_.tensors.at("head.modulation").data(), 2),
            0);
}

TEST_F(RepackAtomicity, AFileThatLeftTheOriginalLeavesTheOutput) {
  run_killed();
  ASSERT_TRUE(fs::exists(folder_ / ".out.partial/vae/transformer/inner.txt"));
  fs::remove_all(folder_ / "original/vae/transformer");
  options_.force = true;
  repack(options_);
  EXPECT_FALSE(fs::exists(folder_ / "out/vae/transformer"));
  EXPECT_TRUE(fs::exists(folder_ / "out/vae/deep/weights.bin"));
}

TEST_F(RepackAtomicity, AnEarlierOutputIsReplacedAtTheEndOnly) {
  repack(options_);
  const Files first = contents(folder_ / "out");
  expect_error(ErrorKind::usage, {"expected a name that is free, got one that exists; --force"},
               [&] { repack(options_); });
  options_.force = options_.pack = true;
  const auto fails = [&](const Progress& progress) {
    if (progress.stage == "transformer_2") throw std::runtime_error("of the sink");
  };
  EXPECT_THROW(repack(options_, fails), std::runtime_error);
  EXPECT_TRUE(contents(folder_ / "out") == first);
  EXPECT_FALSE(fs::exists(folder_ / ".out.partial"));
  repack(options_);
  EXPECT_FALSE(contents(folder_ / "out") == first);
  EXPECT_FALSE(fs::exists(folder_ / ".out.partial"));
}

}  // namespace
}  // namespace mxdit::conversion

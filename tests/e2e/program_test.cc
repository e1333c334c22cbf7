// The program as a user runs it: files, messages, exit statuses.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "checkpoint/weight_store.h"
#include "io/json_file.h"
#include "io/safetensors.h"
#include "mxdit/media.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;
const fs::path kModel = fs::path(MXDIT_SOURCE_DIR) / "tests/goldens/pipeline/moe";
const std::string kSmall =
    " --width 48 --height 32 --num-frames 5 --num-inference-steps 2 --model-path ";

struct Ran {
  int status;
  std::string out, err;
};

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class Program : public testing::Test {
 protected:
  Program() {
    folder_ = fs::path(testing::TempDir()) /
              ("program_test_" + std::to_string(::getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  ~Program() override { fs::remove_all(folder_); }

  Ran run(const std::string& arguments) {
    const fs::path out = folder_ / "stdout", err = folder_ / "stderr";
    const std::string command = "cd '" + folder_.string() + "' && '" MXDIT_PROGRAM "' " +
                                arguments + " >'" + out.string() + "' 2>'" + err.string() + "'";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(out), read(err)};
  }

  // A copy of the golden model that a test may damage.
  fs::path copy_of_model() {
    fs::copy(kModel, folder_ / "model", fs::copy_options::recursive);
    return folder_ / "model";
  }

  // The run must fail with this status and one error line that holds `text`, and write nothing.
  void expect_failure(const std::string& arguments, int status, const std::string& text) {
    const Ran ran = run("generate hello --output-file-path out.gif " + arguments);
    EXPECT_EQ(ran.status, status) << ran.err;
    EXPECT_NE(ran.err.find("mxdit: error: ["), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find(text), std::string::npos) << ran.err;
    EXPECT_FALSE(fs::exists(folder_ / "out.gif"));
  }

  fs::path folder_;
};

TEST_F(Program, WritesAVideoWithItsSettingsInside) {
  for (const char* name : {"out.mp4", "out.gif"}) {
    const Ran ran = run("generate 'a bird' --seed 7 --output-file-path " + std::string(name) +
                        " --perf-dump-path perf.json" + kSmall + kModel.string());
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out, std::string(name) + "\n");
    const MediaMetadata metadata = read_video_metadata((folder_ / name).string());
    EXPECT_EQ(metadata.at("prompt"), "a bird");
    EXPECT_EQ(metadata.at("seed"), "7");
    EXPECT_EQ(metadata.at("num_inference_steps"), "2");
    const Json perf = read_json_file(folder_ / "perf.json");
    EXPECT_EQ(perf["denoise_steps_ms"].size(), 2u);
    EXPECT_GT(perf["total_duration_ms"].get<double>(), 0.0);
  }
}

TEST_F(Program, TheSameRunWritesTheSameBytes) {
  for (const std::string name : {"a.mp4", "b.mp4"})
    ASSERT_EQ(run("generate 'a bird' --output-file-path " + name + " --threads " +
                  (name == "a.mp4" ? "1" : "2") + kSmall + kModel.string())
                  .status,
              0);
  EXPECT_TRUE(read(folder_ / "a.mp4") == read(folder_ / "b.mp4"));
}

TEST_F(Program, WritesAFolderOfFrames) {
  ASSERT_EQ(run("generate 'a bird' --output-file-path frames/" + kSmall + kModel.string()).status,
            0);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "frames"))
    files += entry.path().extension() == ".png";
  EXPECT_EQ(files, 5);
}

TEST_F(Program, JsonProgressIsOneObjectPerLine) {
  const Ran ran =
      run("generate 'a bird' --progress json --output-file-path o.gif" + kSmall + kModel.string());
  ASSERT_EQ(ran.status, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::string line;
  int denoise_steps = 0;
  while (std::getline(lines, line)) {
    if (line.empty() || line[0] != '{') continue;
    const Json event = parse_json(line, "stdout");
    if (event.value("stage", "") == "denoise" && event.value("event", "") == "step")
      ++denoise_steps;
  }
  EXPECT_EQ(denoise_steps, 2);
}

TEST_F(Program, NamesTheEmbeddedModel) {
  const Ran ran = run("generate 'red dots on a blue background moving left' --num-inference-steps 2 "
                      "--output-file-path out.gif");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.err.find("comes with mxdit"), std::string::npos) << ran.err;
}

TEST_F(Program, RefusesBadFlags) {
  expect_failure("--wdith 64", 2, "--width");
  expect_failure("--width 100 --model-path " + kModel.string(), 2, "a multiple of 16");
  expect_failure("--output-file-path out.avi", 2, ".avi");
  expect_failure("--isa sse9", 2, "sse9");
  expect_failure("--dtype int8", 2, "int8");
}

TEST_F(Program, RefusesPromptsThatAreNoText) {
  const Ran ran = run("generate \"$(printf '\\377')\" --output-file-path out.gif");
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("UTF-8"), std::string::npos) << ran.err;
}

TEST_F(Program, RefusesMissingFilesAndFolders) {
  expect_failure("--model-path nowhere", 4, "nowhere");
  fs::create_directories(folder_ / "empty");
  expect_failure("--model-path empty", 4, "model_index.json");
  expect_failure("--latents none.safetensors" + kSmall + kModel.string(), 4, "none.safetensors");
  const fs::path model = copy_of_model();
  fs::remove_all(model / "vae");
  expect_failure("--model-path " + model.string(), 4, "vae");
}

TEST_F(Program, RefusesDamagedCheckpoints) {
  const fs::path model = copy_of_model();
  const fs::path weights = model / "transformer/diffusion_pytorch_model.safetensors";
  fs::resize_file(weights, fs::file_size(weights) - 100);
  expect_failure("--model-path " + model.string(), 3, "transformer/diffusion_pytorch_model");
  fs::resize_file(weights, 4);
  expect_failure("--model-path " + model.string(), 3, "transformer/diffusion_pytorch_model");
}

TEST_F(Program, RefusesConfigurationsThatDoNotFitTheWeights) {
  const fs::path model = copy_of_model();
  const fs::path file = model / "transformer/config.json";
  const Json original = read_json_file(file);
  const auto with = [&](const char* key, Json value) {
    Json changed = original;
    changed[key] = std::move(value);
    std::ofstream(file) << changed;
  };
  const auto fails = [&](int status, const std::string& text) {
    expect_failure(kSmall + model.string(), status, text);
  };
  with("ffn_dim", original["ffn_dim"].get<int>() + 1);
  fails(3, "expected shape");
  with("num_layers", original["num_layers"].get<int>() + 1);
  fails(3, "num_layers");
  with("num_attention_heads", int64_t{1} << 60);
  fails(3, "num_attention_heads");
  with("num_attention_heads", "two");
  fails(3, "num_attention_heads");
  with("in_channels", -4);
  fails(3, "in_channels");
}

TEST_F(Program, RefusesUnknownClasses) {
  const fs::path model = copy_of_model();
  Json index = read_json_file(model / "model_index.json");
  index["transformer"][1] = "WanVACETransformer3DModel";
  std::ofstream(model / "model_index.json") << index;
  expect_failure(kSmall + model.string(), 5, "WanVACETransformer3DModel");
  index["_class_name"] = "FluxPipeline";
  std::ofstream(model / "model_index.json") << index;
  expect_failure(kSmall + model.string(), 5, "FluxPipeline");
}

TEST_F(Program, SaysHowMuchMemoryARunWouldNeed) {
  expect_failure("--width 8192 --height 8192 --num-frames 4001 --model-path " + kModel.string(), 6,
                 "GiB");
}

TEST_F(Program, PlansByTheNumberThatGenerateRefusesWith) {
  const std::string huge = " hello --width 8192 --height 8192 --num-frames 4001 --model-path " +
                           kModel.string() + " --max-memory 4";
  const Ran planned = run("plan" + huge + " --json");
  EXPECT_EQ(planned.status, 6);
  const Ran refused = run("generate" + huge + " --no-save-output --progress none --log-level warning");
  EXPECT_EQ(refused.status, 6);
  const std::string number =
      std::to_string(parse_json(planned.out, "stdout")["peak_bytes"].get<uint64_t>()) + " bytes";
  EXPECT_NE(refused.err.find(number), std::string::npos) << number << "\n" << refused.err;
  EXPECT_EQ(planned.err.substr(planned.err.find("mxdit: error")),
            refused.err.substr(refused.err.find("mxdit: error")));
  const Ran fits = run("plan hello" + kSmall + kModel.string());
  EXPECT_EQ(fits.status, 0) << fits.err;
  EXPECT_NE(fits.out.find("DenoisingStage (transformer_2)"), std::string::npos) << fits.out;
}

TEST_F(Program, ShowsWhatTheDeviceRuns) {
  const Ran ran = run("inspect --device --isa scalar --threads 1 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json report = parse_json(ran.out, "stdout");
  EXPECT_EQ(report["kernels"].back()["name"], "scalar");
  EXPECT_EQ(report["kernels"].back()["chosen"], true);
  EXPECT_EQ(report["threads"], 1);
  EXPECT_FALSE(report["products"].empty());
  EXPECT_EQ(run("inspect --device nowhere").status, 2);
}

// To the original names, back, and the model still makes the same latents.
TEST_F(Program, RepacksThereAndBack) {
  const fs::path model = copy_of_model();
  for (const char* expert : {"transformer", "transformer_2"}) {
    Json description = {{"model_quant_type", "FLOAT"}};
    for (const std::string& name : WeightStore::open(model / expert).names())
      description[name] = "FLOAT";
    std::ofstream(model / expert / "quant_model_description.json") << description;
  }
  const std::string type = " --model-type Wan2.2-T2V-A14B --max-shard-size 0.00005";
  const Ran back = run("repack --reverse --quant-path model --output-path exported" + type);
  ASSERT_EQ(back.status, 0) << back.err;
  EXPECT_NE(back.out.find("low_noise_model"), std::string::npos) << back.out;
  EXPECT_TRUE(fs::exists(folder_ / "exported/low_noise_model/quant_model_description.json"));
  const Ran there = run(
      "repack --quant-path exported --original-model-path model --output-path repacked" + type);
  ASSERT_EQ(there.status, 0) << there.err;
  for (const char* name : {"model", "repacked"}) {
    const Ran made = run("generate hello --no-save-output --save-latents " + std::string(name) +
                         ".safetensors" + kSmall + name);
    ASSERT_EQ(made.status, 0) << made.err;
  }
  // The files also name their model, so only the tensors are the same.
  const Tensor one = SafetensorsFile::open(folder_ / "model.safetensors").get("latents");
  const Tensor other = SafetensorsFile::open(folder_ / "repacked.safetensors").get("latents");
  ASSERT_EQ(one.shape(), other.shape());
  ASSERT_GT(one.bytes(), 0u);
  EXPECT_EQ(std::memcmp(one.data(), other.data(), one.bytes()), 0);
}

TEST_F(Program, BenchReportsAsJson) {
  const Ran ran = run("bench dit --shape tiny --tokens 12 --text-tokens 4 --layers 1 --repeat 3 "
                      "--threads 2 --quantization mxfp4_npu --json dit.json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("median ms"), std::string::npos) << ran.out;
  const Json report = read_json_file(folder_ / "dit.json");
  EXPECT_EQ(report["forward_seconds"].size(), 3u);
  EXPECT_EQ(report["quantization"], "mxfp4_npu");
  EXPECT_EQ(report["tokens"], 12);
  EXPECT_GT(report["median"].get<double>(), 0);
  const Ran attention = run("bench attention --tokens 5 --heads 1 --head-dim 8 --json");
  ASSERT_EQ(attention.status, 0) << attention.err;
  EXPECT_EQ(parse_json(attention.out, "stdout")["keys"], 5);
  EXPECT_EQ(run("bench linear --tokens 0").status, 2);
}

// One answer for each line and not before it: the program waits while another one is measured.
TEST_F(Program, PacedBenchWaitsForLines) {
  const fs::path questions = folder_ / "questions", answers = folder_ / "answers";
  ASSERT_EQ(mkfifo(questions.c_str(), 0600), 0);
  const std::string command = "'" MXDIT_PROGRAM "' bench linear --tokens 3 --in 8 --out 8 --paced "
                              "<'" + questions.string() + "' >'" + answers.string() + "'";
  std::thread program([&] { EXPECT_EQ(std::system(command.c_str()), 0); });
  {
    std::ofstream ask(questions);
    std::string seen;
    for (int asked = 1; asked <= 3; ++asked) {
      ask << "run" << std::endl;
      for (int i = 0; i < 600; ++i) {
        seen = read(answers);
        if (std::count(seen.begin(), seen.end(), '\n') >= asked) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      EXPECT_EQ(std::count(seen.begin(), seen.end(), '\n'), asked);
    }
    std::istringstream lines(seen);
    std::string line;
    for (int i = 1; std::getline(lines, line); ++i) {
      const Json answer = parse_json(line, "stdout");
      EXPECT_EQ(answer["run"], i);
      EXPECT_GT(answer["seconds"].get<double>(), 0);
    }
  }
  program.join();
}

TEST_F(Program, CtrlCStopsWithoutAFile) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (chdir(folder_.c_str()) != 0) _exit(99);
    if (std::freopen("stderr", "w", stderr) == nullptr) _exit(99);
    execl(MXDIT_PROGRAM, MXDIT_PROGRAM, "generate", "a bird", "--model-path", kModel.c_str(),
          "--width", "256", "--height", "256", "--num-frames", "33", "--num-inference-steps", "900",
          "--output-file-path", "out.mp4", nullptr);
    _exit(99);
  }
  // Wait until it samples, then stop it.
  for (int i = 0; i < 600 && read(folder_ / "stderr").find("denoise") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130) << read(folder_ / "stderr");
  int left = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) left += entry.path().filename() != "stderr";
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace mxdit

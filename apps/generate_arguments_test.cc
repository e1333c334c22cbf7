#include "generate_arguments.h"

#include <gtest/gtest.h>

#include "expect_error.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

using Texts = std::vector<std::string>;

void expect_usage(const Texts& parts, const Texts& arguments) {
  expect_error(ErrorKind::usage, parts, [&] { parse_generate_arguments(arguments); });
}

TEST(GenerateArguments, DefaultsAreTheReferences) {
  const GenerateArguments a = parse_generate_arguments({"a prompt"});
  EXPECT_EQ(a.request.prompts, Texts{"a prompt"});
  EXPECT_FALSE(a.request.seed.has_value());
  EXPECT_FALSE(a.request.width.has_value());
  EXPECT_FALSE(a.request.negative_prompt.has_value());
  EXPECT_EQ(a.request.num_outputs_per_prompt, 1);
  EXPECT_EQ(a.request.max_sequence_length, 512);
  EXPECT_EQ(a.engine.dtype, "bf16");
  EXPECT_EQ(a.engine.attention_precision, "bf16");
  EXPECT_EQ(a.engine.device, "cpu");
  EXPECT_TRUE(a.engine.model_path.empty());
  EXPECT_TRUE(a.engine.component_paths.empty());
  EXPECT_EQ(a.output.folder, "outputs/");
  EXPECT_EQ(a.encoding.quality, 50);
  EXPECT_TRUE(a.output.save);
  EXPECT_EQ(a.progress, ProgressMode::automatic);
}

TEST(GenerateArguments, EveryFlagReachesItsField) {
  const GenerateArguments a = parse_generate_arguments({"--prompt",
                                                        "a",
                                                        "b",
                                                        "--negative-prompt",
                                                        "n",
                                                        "--seed",
                                                        "7",
                                                        "--num-outputs",
                                                        "2",
                                                        "--num-frames",
                                                        "13",
                                                        "--height",
                                                        "64",
                                                        "--width",
                                                        "96",
                                                        "--fps",
                                                        "12.5",
                                                        "--num-inference-steps",
                                                        "8",
                                                        "--guidance-scale",
                                                        "4.5",
                                                        "--guidance-scale-2",
                                                        "3",
                                                        "--boundary-ratio",
                                                        "0.875",
                                                        "--flow-shift",
                                                        "12",
                                                        "--max-sequence-length",
                                                        "64",
                                                        "--model-path",
                                                        "m",
                                                        "--transformer-2-path",
                                                        "t2",
                                                        "--vae-path",
                                                        "v",
                                                        "--attention-precision",
                                                        "int8",
                                                        "--dtype",
                                                        "fp32",
                                                        "--isa",
                                                        "scalar",
                                                        "--threads",
                                                        "2",
                                                        "--max-memory",
                                                        "1.5",
                                                        "--vae-tiling",
                                                        "--latents",
                                                        "l",
                                                        "--save-latents",
                                                        "s",
                                                        "--trace",
                                                        "t",
                                                        "--output-path",
                                                        "o",
                                                        "--output-file-name",
                                                        "f.gif",
                                                        "--output-quality",
                                                        "high",
                                                        "--no-save-output",
                                                        "--perf-dump-path",
                                                        "p.json",
                                                        "--progress",
                                                        "json",
                                                        "--log-level",
                                                        "debug"});
  const GenerateRequest& r = a.request;
  EXPECT_EQ(r.prompts, (Texts{"a", "b"}));
  EXPECT_EQ(r.negative_prompt, "n");
  EXPECT_EQ(r.seed, 7u);
  EXPECT_EQ(r.num_outputs_per_prompt, 2);
  EXPECT_EQ(r.num_frames, 13);
  EXPECT_EQ(r.height, 64);
  EXPECT_EQ(r.width, 96);
  EXPECT_EQ(r.fps, 12.5);
  EXPECT_EQ(r.num_inference_steps, 8);
  EXPECT_EQ(r.guidance_scale, 4.5);
  EXPECT_EQ(r.guidance_scale_2, 3);
  EXPECT_EQ(r.boundary_ratio, 0.875);
  EXPECT_EQ(r.flow_shift, 12);
  EXPECT_EQ(r.max_sequence_length, 64);
  EXPECT_TRUE(r.vae_tiling);
  EXPECT_EQ(r.latents_path + r.save_latents_path + r.trace_path, "lst");
  EXPECT_EQ(a.engine.model_path, "m");
  EXPECT_EQ(a.engine.component_paths,
            (std::map<std::string, std::string>{{"transformer_2", "t2"}, {"vae", "v"}}));
  EXPECT_EQ(a.engine.dtype + a.engine.isa, "fp32scalar");
  EXPECT_EQ(a.engine.attention_precision, "int8");
  EXPECT_EQ(a.engine.threads, 2);
  EXPECT_EQ(a.engine.max_memory_bytes, uint64_t{3} << 29);
  EXPECT_EQ(a.output.folder + a.output.file_name, "of.gif");
  EXPECT_EQ(a.encoding.quality, 90);
  EXPECT_FALSE(a.output.save);
  EXPECT_EQ(a.perf_dump_path, "p.json");
  EXPECT_EQ(a.progress, ProgressMode::json);
  EXPECT_EQ(a.log_level, LogLevel::debug);
}

TEST(GenerateArguments, SizeShortcuts) {
  const GenerateArguments a = parse_generate_arguments({"p", "--720p"});
  EXPECT_EQ(a.request.width, 1280);
  EXPECT_EQ(a.request.height, 720);
  EXPECT_EQ(parse_generate_arguments({"p", "--4k"}).request.width, 3840);
  EXPECT_EQ(parse_generate_arguments({"p", "--1080p"}).request.height, 1088);
  expect_usage({"--720p", "--width"}, {"p", "--720p", "--width", "64"});
  expect_usage({"--720p", "--1080p"}, {"p", "--720p", "--1080p"});
}

TEST(GenerateArguments, QualityLevelsAndNumbers) {
  const std::pair<const char*, int> levels[] = {
      {"default", 50}, {"low", 35}, {"medium", 55}, {"high", 90}, {"maximum", 100}};
  for (const auto& [level, quality] : levels)
    EXPECT_EQ(parse_generate_arguments({"p", "--output-quality", level}).encoding.quality, quality);
  EXPECT_EQ(parse_generate_arguments({"p", "--output-compression", "77"}).encoding.quality, 77);
}

TEST(GenerateArguments, PromptsComeFromOnePlace) {
  const TemporaryFolder folder;
  const std::string file = folder.write("p.txt",
                                        "\xEF\xBB\xBF"
                                        "one\r\n\n  \ntwo\n");
  EXPECT_EQ(parse_generate_arguments({"--prompt-path", file}).request.prompts,
            (Texts{"one", "two"}));
  expect_usage({"--prompt", "without flag"}, {"a", "--prompt", "b"});
  expect_usage({"--prompt-path", "--prompt"}, {"--prompt-path", file, "--prompt", "b"});
  expect_usage({"prompt: expected one"}, {});
  expect_usage({"prompt: expected one"}, {"--seed", "3"});
  EXPECT_TRUE(parse_generate_arguments({"--from-latents", "l"}).request.prompts.empty());
  EXPECT_EQ(parse_generate_arguments({""}).request.prompts, Texts{""});
}

TEST(GenerateArguments, BadPromptsAreRefused) {
  const TemporaryFolder folder;
  expect_usage({"prompt", "UTF-8"}, {"caf\xe9"});
  expect_usage({"--prompt", "UTF-8"}, {"--prompt", "caf\xe9"});
  expect_usage({"--negative-prompt", "UTF-8"}, {"p", "--negative-prompt", "\xff"});
  expect_usage({"empty.txt", "no prompts"}, {"--prompt-path", folder.write("empty.txt", "\n \n")});
  expect_usage({"p.csv", ".txt"}, {"--prompt-path", folder.write("p.csv", "a")});
  expect_usage({"l.txt line 2", "UTF-8"}, {"--prompt-path", folder.write("l.txt", "a\n\xff\n")});
  expect_error(ErrorKind::not_found, {"none.txt"}, [&] {
    parse_generate_arguments({"--prompt-path", folder.path("none.txt")});
  });
}

TEST(GenerateArguments, ConflictsAreRefused) {
  expect_usage({"--latents", "--from-latents"}, {"p", "--latents", "a", "--from-latents", "b"});
  expect_usage({"--save-latents", "--from-latents"},
               {"p", "--save-latents", "a", "--from-latents", "b"});
  expect_usage({"--save-output", "--no-save-output"}, {"p", "--save-output", "--no-save-output"});
  expect_usage({"--output-quality", "--output-compression"},
               {"p", "--output-quality", "low", "--output-compression", "3"});
  expect_usage({"--output-file-path", "--output-file-name"},
               {"p", "--output-file-path", "a.mp4", "--output-file-name", "b"});
  expect_usage({"--trace", "empty"}, {"p", "--trace="});
}

TEST(GenerateArguments, ConfigurationGivesWayToTheCommandLine) {
  const TemporaryFolder folder;
  const std::string file =
      folder.write("c.yaml",
                   "prompt: from the file\nseed: 5\n720p: true\noutput_file_path: a.gif\n"
                   "output: {quality: low}\n");
  const GenerateArguments a = parse_generate_arguments({"--config", file});
  EXPECT_EQ(a.request.prompts, Texts{"from the file"});
  EXPECT_EQ(a.request.width, 1280);
  EXPECT_EQ(a.encoding.quality, 35);
  const GenerateArguments b =
      parse_generate_arguments({"mine", "--config", file, "--width", "64", "--output-path", "o",
                                "--output-compression", "9"});
  EXPECT_EQ(b.request.prompts, Texts{"mine"});
  EXPECT_EQ(b.request.width, 64);
  EXPECT_FALSE(b.request.height.has_value());
  EXPECT_EQ(b.request.seed, 5u);
  EXPECT_TRUE(b.output.file_path.empty());
  EXPECT_EQ(b.encoding.quality, 9);
}

TEST(GenerateArguments, AnEmptyOutputFolderSavesNothing) {
  EXPECT_FALSE(parse_generate_arguments({"p", "--output-path", ""}).output.save);
}

TEST(GenerateArguments, HelpNamesEveryGroupAndDefault) {
  const std::string help = generate_flag_help();
  for (const char* part : {"Prompt:", "Sampling:", "Size:", "Output:", "--seed N", "(default: 42)",
                           "--num-outputs-per-prompt, --num-outputs N"})
    EXPECT_NE(help.find(part), std::string::npos) << part;
  EXPECT_EQ(help.find("--lora"), std::string::npos);
}

}  // namespace
}  // namespace mxdit::cli

#include "config_file.h"

#include <gtest/gtest.h>

#include <map>

#include "expect_error.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

std::map<std::string, std::vector<std::string>> by_flag(const Config& config) {
  std::map<std::string, std::vector<std::string>> result;
  for (const ConfigEntry& entry : config.entries) result[entry.flag] = entry.values;
  return result;
}

TEST(ConfigFile, JsonAndYamlAgree) {
  const TemporaryFolder folder;
  const auto json = by_flag(read_config(
      folder.write("a.json", R"({"seed": 3, "fps": 12.5, "vae_tiling": true, "prompt": ["a", "b"],
                                 "output": {"file_path": "x.gif"}, "generate": {"dtype": "fp32"},
                                 "trace": null})"),
      "generate"));
  const auto yaml = by_flag(
      read_config(folder.write("a.yml",
                               "seed: 3\nfps: 12.5\nvae_tiling: true\nprompt: [a, b]\noutput:\n  "
                               "file_path: x.gif\ngenerate:\n  dtype: fp32\ntrace: null\n"),
                  "generate"));
  EXPECT_EQ(json, yaml);
  EXPECT_EQ(json.at("output-file-path"), std::vector<std::string>{"x.gif"});
  EXPECT_EQ(json.at("dtype"), std::vector<std::string>{"fp32"});
  EXPECT_EQ(json.at("seed"), std::vector<std::string>{"3"});
  EXPECT_EQ(json.size(), 6u);
}

TEST(ConfigFile, DottedKeysAreKeptForMessages) {
  const TemporaryFolder folder;
  const Config config =
      read_config(folder.write("a.json", R"({"output": {"quality": "high"}})"), "generate");
  ASSERT_EQ(config.entries.size(), 1u);
  EXPECT_EQ(config.entries[0].key, "output.quality");
  EXPECT_EQ(config.entries[0].flag, "output-quality");
}

TEST(ConfigFile, EmptyFilesHoldNothing) {
  const TemporaryFolder folder;
  EXPECT_TRUE(read_config(folder.write("a.yaml", ""), "generate").entries.empty());
  EXPECT_TRUE(read_config(folder.write("a.json", "{}"), "generate").entries.empty());
}

TEST(ConfigFile, BadFilesAreNamed) {
  const TemporaryFolder folder;
  const auto expect_usage = [&](const std::vector<std::string>& parts, const std::string& file) {
    expect_error(ErrorKind::usage, parts, [&] { read_config(file, "generate"); });
  };
  expect_usage({"none.yaml", "readable"}, folder.path("none.yaml"));
  expect_usage({"a.toml", ".json, .yaml or .yml", ".toml"}, folder.write("a.toml", ""));
  expect_usage({"a.json", "expected JSON"}, folder.write("a.json", "{\"a\": }"));
  expect_usage({"a.json", "array"}, folder.write("a.json", "[1]"));
  expect_usage({"a.yaml", "expected YAML"}, folder.write("a.yaml", "a: [1"));
  expect_usage({"a.yaml", "mapping"}, folder.write("a.yaml", "- a"));
  expect_usage({"a.json", "'a'"}, folder.write("a.json", R"({"a": [{"b": 1}]})"));
  expect_usage({"a.yaml", "'a'"}, folder.write("a.yaml", "a: [[1]]"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  expect_usage({"a.json", "too deep"}, folder.write("a.json", deep + "1" + std::string(100, '}')));
}

}  // namespace
}  // namespace mxdit::cli

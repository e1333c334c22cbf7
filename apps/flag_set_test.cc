#include "flag_set.h"

#include <gtest/gtest.h>

#include "expect_error.h"
#include "flag_help.h"
#include "nearest_name.h"
#include "temporary_folder.h"
#include "utf8.h"

namespace mxdit::cli {
namespace {

using Texts = std::vector<std::string>;

class FlagSetTest : public testing::Test {
 protected:
  FlagSetTest() : flags_("generate") {
    flags_.group("Some");
    flags_.positional({"prompts", "PROMPT...", "Prompts.", ""}, &prompts_);
    flags_.list({"--prompt", "TEXT...", "More.", ""}, &list_);
    flags_.string({"--negative-prompt,--negative", "TEXT", "Not.", "none"}, &text_);
    flags_.boolean({"--vae-tiling", "", "Tiles.", "false"}, [this](bool b) { boolean_ = b; });
    flags_.integer({"--seed", "N", "Seed.", "42"}, 0, 1000, [this](int64_t n) { integer_ = n; });
    flags_.number({"--flow-shift", "X", "Shift.", ""}, -5, 5, [this](double x) { number_ = x; });
    flags_.choice({"--dtype", "T", "Type.", "bf16"}, {"fp32", "bf16"},
                  [this](const std::string& t) { choice_ = t; });
    flags_.string({"--config", "FILE", "File.", ""}, &config_);
  }

  FlagSet flags_;
  Texts prompts_, list_;
  std::string text_ = "unset", choice_, config_;
  bool boolean_ = false;
  int64_t integer_ = -1;
  double number_ = 0;
};

TEST_F(FlagSetTest, AValueMayBeLeftOutWhereTheFlagSaysSo) {
  std::vector<std::string> seen;
  flags_.optional_string({"--json", "[FILE]", "Report.", ""},
                         [&](const std::string& value) { seen.push_back(value); });
  flags_.parse({"--json"});
  flags_.parse({"--json", "--seed", "7"});
  flags_.parse({"--json", "a.json", "prompt"});
  flags_.parse({"--json=-b.json"});
  flags_.parse({"--seed", "7"});
  EXPECT_EQ(seen, (Texts{"", "", "a.json", "-b.json"}));
  EXPECT_EQ(integer_, 7);
}

TEST_F(FlagSetTest, DashesUnderscoresEqualsAndAliases) {
  flags_.parse({"--negative_prompt=a=b", "--seed", "7", "--flow_shift", "-1.5", "--dtype", "FP32"});
  EXPECT_EQ(text_, "a=b");
  EXPECT_EQ(integer_, 7);
  EXPECT_EQ(number_, -1.5);
  EXPECT_EQ(choice_, "fp32");
  flags_.parse({"--negative", "", "--seed=8"});
  EXPECT_EQ(text_, "");
  EXPECT_TRUE(flags_.given("negative-prompt"));
  flags_.parse({"--negative=", "the prompt"});
  EXPECT_EQ(text_, "");
  EXPECT_EQ(prompts_, Texts{"the prompt"});
}

TEST_F(FlagSetTest, TheLastValueCounts) {
  flags_.parse({"--seed", "1", "--seed", "2"});
  EXPECT_EQ(integer_, 2);
}

TEST_F(FlagSetTest, BooleansTakeAnOptionalValue) {
  flags_.parse({"--vae-tiling", "a prompt"});
  EXPECT_TRUE(boolean_);
  EXPECT_EQ(prompts_, Texts{"a prompt"});
  flags_.parse({"--vae_tiling", "False", "p"});
  EXPECT_FALSE(boolean_);
  flags_.parse({"--vae-tiling=true"});
  EXPECT_TRUE(boolean_);
  expect_error(ErrorKind::usage, {"--vae-tiling", "true or false", "'yes'"},
               [&] { flags_.parse({"--vae-tiling=yes"}); });
  expect_error(ErrorKind::usage, {"--vae-tiling", "true or false"},
               [&] { flags_.parse({"--vae-tiling="}); });
}

TEST_F(FlagSetTest, TextsArePassedAsTheyAre) {
  const Texts odd{"[a, b]", "{}", "", "%%", "a=b", "'q'", "-5 degrees", "--x", "é"};
  Texts arguments{"--seed", "3", "--"};
  arguments.insert(arguments.end(), odd.begin(), odd.end());
  flags_.parse(arguments);
  EXPECT_EQ(prompts_, odd);
  flags_.parse({"--prompt", "[a, b]", "{}", "", "--seed", "3", "--prompt=--c"});
  EXPECT_EQ(list_, (Texts{"[a, b]", "{}", "", "--c"}));
  flags_.parse({"first", "--seed", "1", "second", "third"});
  EXPECT_EQ(prompts_, (Texts{"first", "second", "third"}));
}

TEST_F(FlagSetTest, UnknownFlagsNameTheNearest) {
  expect_error(ErrorKind::usage, {"--sede: unknown", "--seed"}, [&] {
    flags_.parse({"--sede", "1"});
  });
  expect_error(ErrorKind::usage, {"--negativ_prompt", "--negative-prompt"},
               [&] { flags_.parse({"--negativ_prompt=x"}); });
  expect_error(ErrorKind::usage, {"--lora_path", "not available in this version"}, [&] {
    flags_.parse({"--lora_path", "x"});
  });
  expect_error(ErrorKind::usage, {"--zzzzzzzz", "--help"}, [&] { flags_.parse({"--zzzzzzzz"}); });
  expect_error(ErrorKind::usage, {"'-x'", "--"}, [&] { flags_.parse({"-x"}); });
}

TEST_F(FlagSetTest, ValuesAreChecked) {
  for (const char* bad : {"", "x", "7x", "1001", "-1", "1e2", " 7", "99999999999999999999"})
    expect_error(ErrorKind::usage, {"--seed: expected a whole number from 0 to 1000", bad},
                 [&] { flags_.parse({std::string("--seed=") + bad}); });
  for (const char* bad : {"nan", "inf", "6", "1,5"})
    expect_error(ErrorKind::usage, {"--flow-shift: expected a number from -5 to 5", bad}, [&] {
      flags_.parse({"--flow-shift", bad});
    });
  expect_error(ErrorKind::usage, {"--dtype: expected one of fp32 bf16", "'fp16'"}, [&] {
    flags_.parse({"--dtype", "fp16"});
  });
  expect_error(ErrorKind::usage, {"--seed: expected a value"}, [&] { flags_.parse({"--seed"}); });
  expect_error(ErrorKind::usage, {"--seed: expected a value", "--dtype"}, [&] {
    flags_.parse({"--seed", "--dtype", "bf16"});
  });
}

TEST_F(FlagSetTest, TheCommandLineComesBeforeTheFile) {
  const TemporaryFolder folder;
  const std::string file = folder.write(
      "c.yaml", "seed: 5\nvae_tiling: true\nnegative-prompt: ''\nprompt: [a, 'b, c']\n");
  flags_.parse({"--config", file});
  EXPECT_EQ(integer_, 5);
  EXPECT_TRUE(boolean_);
  EXPECT_EQ(text_, "");
  EXPECT_EQ(list_, (Texts{"a", "b, c"}));
  flags_.overrides({"prompts", "prompt"}, {"prompts", "prompt"});
  list_.clear();
  flags_.parse({"--seed=6", "mine", "--config", file, "--vae-tiling", "false"});
  EXPECT_EQ(integer_, 6);
  EXPECT_FALSE(boolean_);
  EXPECT_EQ(prompts_, Texts{"mine"});
  EXPECT_TRUE(list_.empty());
}

TEST_F(FlagSetTest, TheFileIsNamedInErrors) {
  const TemporaryFolder folder;
  const auto parse = [&](const std::string& text) {
    flags_.parse({"--config", folder.write("c.yaml", text)});
  };
  expect_error(ErrorKind::usage, {"c.yaml: key sede: unknown", "seed"}, [&] { parse("sede: 1"); });
  expect_error(ErrorKind::usage, {"c.yaml: key seed: expected a whole number", "'x'"},
               [&] { parse("seed: x"); });
  expect_error(ErrorKind::usage, {"c.yaml: key seed: expected one value, got 2"},
               [&] { parse("seed: [1, 2]"); });
  expect_error(ErrorKind::usage, {"c.yaml: key num-gpus", "not available"},
               [&] { parse("num-gpus: 1"); });
  expect_error(ErrorKind::usage, {"c.yaml: key config"}, [&] { parse("config: d.yaml"); });
}

TEST(NearestName, FindsTyposOnly) {
  const Texts names{"seed", "num-frames", "height", "output-path"};
  EXPECT_EQ(nearest_name("sed", names), "seed");
  EXPECT_EQ(nearest_name("nmu-frames", names), "num-frames");
  EXPECT_EQ(nearest_name("frames", names), "num-frames");
  EXPECT_EQ(nearest_name("output", names), "output-path");
  EXPECT_EQ(nearest_name("quantization", names), "");
}

TEST(Utf8, AcceptsAndRefuses) {
  for (const char* good : {"", "abc", "ä", "€", "😀"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"})
    EXPECT_FALSE(is_utf8(bad));
  EXPECT_EQ(utf8_prefix("äöü", 2, 100), "äö");
  EXPECT_EQ(utf8_prefix("äöü", 3, 5), "äö");
}

TEST(FlagHelp, WrapsAndKeepsLines) {
  EXPECT_EQ(wrapped("aa bb cc\n\n  dd", 7, 2), "  aa bb\n  cc\n\n    dd\n");
}

}  // namespace
}  // namespace mxdit::cli

#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/json_file.h"
#include "text/sentencepiece_model.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

fs::path golden_folder() {
  return fs::path(MXDIT_SOURCE_DIR) / "tests/goldens/tokenizer";
}

std::vector<int32_t> row(const TokenIds& tokens) {
  const int32_t* ids = tokens.ids.as<int32_t>();
  return std::vector<int32_t>(ids, ids + tokens.ids.elements());
}

std::vector<int32_t> real(const TokenIds& tokens) {
  std::vector<int32_t> ids = row(tokens);
  ids.resize(static_cast<size_t>(tokens.length));
  return ids;
}

std::vector<int32_t> expected_ids(const Json& item, const char* key) {
  const auto wide = required<std::vector<int64_t>>(item, key, "cases.json");
  return std::vector<int32_t>(wide.begin(), wide.end());
}

TEST(TokenizerTest, MatchesTransformers) {
  const Json golden = read_json_file(golden_folder() / "cases.json");
  const Tokenizer tokenizer(golden_folder());
  EXPECT_EQ(tokenizer.vocabulary_size(), golden.at("vocab_size").get<int64_t>());
  EXPECT_EQ(tokenizer.eos_id(), golden.at("eos_id").get<int32_t>());
  EXPECT_EQ(tokenizer.pad_id(), golden.at("pad_id").get<int32_t>());
  ASSERT_GT(golden.at("cases").size(), 200u);
  for (const Json& item : golden.at("cases")) {
    const auto name = required<std::string>(item, "name", "cases.json");
    const auto clean = required<std::string>(item, "clean", "cases.json");
    EXPECT_EQ(real(tokenizer.encode(clean, 4096)), expected_ids(item, "ids")) << name;
    EXPECT_EQ(row(tokenizer.encode(clean, 16)), expected_ids(item, "ids_truncated_16")) << name;
  }
}

TEST(TokenizerTest, CutsAndPads) {
  const Tokenizer tokenizer(golden_folder());
  const TokenIds one = tokenizer.encode("a cat", 1);
  EXPECT_EQ(row(one), std::vector<int32_t>({1}));
  EXPECT_EQ(one.ids.shape(), Shape({1, 1}));
  const TokenIds padded = tokenizer.encode("a cat", 5);
  EXPECT_EQ(row(padded), std::vector<int32_t>({261, 334, 1, 0, 0}));
  EXPECT_EQ(padded.length, 3);
  EXPECT_THROW(tokenizer.encode("a", 0), Error);
  EXPECT_THROW(tokenizer.encode("\xff", 4), Error);
}

// A folder of its own for one test.
class TokenizerFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / (std::string("mxdit_tokenizer_") + info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const char* name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  static std::string golden_model() {
    std::ifstream in(golden_folder() / "spiece.model", std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    return content.str();
  }
  // Kind and text of what loading the folder throws.
  std::pair<ErrorKind, std::string> refusal() const {
    try {
      const Tokenizer tokenizer(folder_);
    } catch (const Error& error) {
      return {error.kind(), error.what()};
    }
    return {ErrorKind::internal, "accepted"};
  }

  fs::path folder_;
};

TEST_F(TokenizerFolder, MissingModel) {
  EXPECT_EQ(refusal().first, ErrorKind::not_found);
  EXPECT_THAT(refusal().second, HasSubstr("spiece.model"));
  write("tokenizer.json", "{}");
  EXPECT_EQ(refusal().first, ErrorKind::unsupported);
  EXPECT_THAT(refusal().second, HasSubstr("tokenizer.json"));
}

TEST_F(TokenizerFolder, ModelAloneIsEnough) {
  write("spiece.model", golden_model());
  const Tokenizer tokenizer(folder_);
  EXPECT_EQ(real(tokenizer.encode("a cat", 9)), std::vector<int32_t>({261, 334, 1}));
  EXPECT_EQ(real(tokenizer.encode("</s>", 9)), std::vector<int32_t>({1, 1}));
}

TEST_F(TokenizerFolder, AddsSpecialTokens) {
  write("spiece.model", golden_model());
  write("tokenizer_config.json",
        R"({"extra_ids": 2, "eos_token": {"content": "</s>", "lstrip": false},
            "added_tokens_decoder": {"900": {"content": "<extra_id_1>", "special": true}}})");
  const Tokenizer tokenizer(folder_);
  EXPECT_EQ(tokenizer.vocabulary_size(), 902);
  EXPECT_EQ(real(tokenizer.encode("<extra_id_1>a cat <extra_id_0>", 9)),
            std::vector<int32_t>({900, 261, 334, 901, 1}));
}

TEST_F(TokenizerFolder, FallsBackToBytesWhereTokenizerJsonSaysSo) {
  write("spiece.model", golden_model());
  write("tokenizer.json", R"({"model": {"type": "Unigram", "byte_fallback": true}})");
  write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  // U+1F600 in UTF-8; byte pieces start at id 3.
  EXPECT_EQ(real(Tokenizer(folder_).encode("\U0001F600", 9)),
            std::vector<int32_t>({260, 3 + 0xF0, 3 + 0x9F, 3 + 0x98, 3 + 0x80, 1}));
  write("tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_EQ(real(Tokenizer(folder_).encode("\U0001F600", 9)), std::vector<int32_t>({260, 2, 1}));
}

TEST_F(TokenizerFolder, RefusesBadConfigs) {
  write("spiece.model", golden_model());
  for (const char* config :
       {"[", "{\"eos_token\": 3}", "{\"added_tokens_decoder\": {\"x\": \"y\"}}",
        "{\"added_tokens_decoder\": []}", "{\"extra_ids\": -1}", "{\"pad_token\": {}}",
        "{\"additional_special_tokens\": \"a\"}", "{\"additional_special_tokens\": [\"\"]}"}) {
    write("tokenizer_config.json", config);
    EXPECT_EQ(refusal().first, ErrorKind::bad_input) << config;
    EXPECT_THAT(refusal().second, HasSubstr("tokenizer_config.json"));
  }
}

TEST_F(TokenizerFolder, RefusesDamagedModels) {
  const std::string model = golden_model();
  for (const std::string& damaged :
       {std::string(), std::string("not a model"), model.substr(0, model.size() / 2),
        model + "\x0a", std::string(1000, '\xff')}) {
    write("spiece.model", damaged);
    EXPECT_EQ(refusal().first, ErrorKind::bad_input) << damaged.size();
    EXPECT_THAT(refusal().second, HasSubstr("spiece.model"));
  }
}

// Any damage is either refused or harmless.
TEST_F(TokenizerFolder, SurvivesRandomDamage) {
  const std::string model = golden_model();
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < 300; ++round) {
    std::string damaged = model;
    for (int i = 0; i < 1 + round % 8; ++i) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    write("spiece.model", damaged);
    try {
      const Tokenizer tokenizer(folder_);
      tokenizer.encode("A cat, ｶﾀｶﾅ \u00e9 e\u0301 \U0001F600 ①", 64);
      ++accepted;
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::bad_input || error.kind() == ErrorKind::unsupported)
          << error.what();
    }
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace mxdit

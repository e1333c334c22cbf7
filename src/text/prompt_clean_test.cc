#include "text/prompt_clean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <random>
#include <string>

#include "core/error.h"
#include "io/json_file.h"
#include "text/unicode.h"

namespace mxdit {
namespace {

TEST(PromptClean, MatchesWanPipeline) {
  const std::filesystem::path path =
      std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens/tokenizer/cases.json";
  const Json cases = read_json_file(path).at("cases");
  ASSERT_GT(cases.size(), 200u);
  for (const Json& item : cases) {
    EXPECT_EQ(prompt_clean(required<std::string>(item, "raw", "cases.json")),
              required<std::string>(item, "clean", "cases.json"))
        << required<std::string>(item, "name", "cases.json");
  }
}

// Kind and text of what prompt_clean throws.
std::pair<ErrorKind, std::string> refusal(const std::string& prompt) {
  try {
    prompt_clean(prompt);
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {ErrorKind::internal, "accepted"};
}

TEST(PromptClean, RefusesWhatIsNotUtf8) {
  const std::pair<std::string, std::string> prompts[] = {
      {"abc\xff", "0xff at offset 3"},
      {"\x80", "0x80 at offset 0"},
      {"\xc3", "0xc3 at offset 0"},
      {"a\xc0\x80", "0xc0 at offset 1"},
      {"\xed\xa0\x80", "0xed at offset 0"},
      {"\xf4\x90\x80\x80", "0xf4 at offset 0"},
      {"\xe2\x82 x", "0xe2 at offset 0"},
      {"\xe0\x80\x80", "0xe0 at offset 0"},
      {"ok \xf0\x9f\x98", "0xf0 at offset 3"},
  };
  for (const auto& [prompt, expected] : prompts) {
    const auto [kind, text] = refusal(prompt);
    EXPECT_EQ(kind, ErrorKind::usage);
    EXPECT_EQ(text, "[text] prompt: expected UTF-8, got byte " + expected);
  }
}

// Beyond the goldens; the results are those of ftfy 6.3.1 and Python 3.11.
TEST(PromptClean, RepairsOtherEncodings) {
  const std::pair<const char*, const char*> prompts[] = {
      {"Р± РџСЂРёРІРµС‚", "б Привет"},  // windows-1251
      {"Gr√∂√üe", "Größe"},             // macroman
      {"├⌐t├⌐", "été"},                 // cp437
      {"PĹ™Ă\u00adliĹˇ", "Příliš"},     // windows-1250
      {"Î\u0161Î±Î»Î·Î¼Î­Ï\u0081Î± ÎºÏŒÏƒÎ¼Îµ", "Καλημέρα κόσμε"},
      {"â€œ lossy â€\ufffd", "\" lossy \ufffd"},               // a byte was lost
      {"\u00ed\u00a0\u00bd\u00ed\u00b2\u00a9", "\U0001f4a9"},  // surrogates
      {"Ã  la, Ã quele", "à la, àquele"},                      // 0xA0 became a space
      {"l’humanitÃ© “ok”", "l'humanité \"ok\""},               // misread only in part
      {"fish &amp; <b> &eacute;\n&eacute;", "fish & <b> é é"},
      {"&LTCC; &NTILDE; &SZLIG; &nTILDE;", "<CC; Ñ SS &nTILDE;"},
      {"&#59; &#x26;amp;", "; &"},
      {"this&notthat", "this¬that"},
  };
  for (const auto& [prompt, expected] : prompts) EXPECT_EQ(prompt_clean(prompt), expected);
}

std::string random_prompt(std::mt19937& random) {
  // The places where misread text, references and control characters live come up often.
  static const std::u32string_view kBits[] = {
      U"Ã",      U"â€™",     U"Ð", U"&",    U"#x",     U";",      U"amp",
      U"\u00a0", U"\x1b[",   U"<", U"\r\n", U"\ufffd", U"ï¿½",    U"í",
      U"\u2028", U"À\u0080", U"?", U" ",    U"ð",      U"\u0301", U"\uff76\uff9e"};
  std::u32string text;
  for (unsigned length = random() % 40; length > 0; --length) {
    switch (random() % 3) {
      case 0:
        text += kBits[random() % std::size(kBits)];
        break;
      case 1:
        text.push_back(random() % 0x250);
        break;
      default:
        text.push_back(random() % 0x110000);  // surrogates become U+FFFD
    }
  }
  return text::encode_utf8(text);
}

TEST(PromptClean, TakesAnyUtf8) {
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    const std::string prompt = random_prompt(random);
    const std::string clean = prompt_clean(prompt);
    EXPECT_TRUE(text::decode_utf8(clean).has_value()) << prompt;
    EXPECT_EQ(clean.find("  "), std::string::npos) << prompt;
  }
}

TEST(PromptClean, TakesRandomBytesOrNamesThem) {
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 30, ' ');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const auto [kind, text] = refusal(bytes);
    EXPECT_EQ(kind == ErrorKind::usage, !text::decode_utf8(bytes).has_value()) << text;
  }
}

TEST(PromptClean, IsFastEnoughOnLongText) {
  std::string nested = "&", misread, references;
  for (int i = 0; i < 20'000; ++i) {
    nested += "amp;";
    misread += "Ã©\xc3\xa2\xe2\x82\xac";
    references += "&amp";
  }
  prompt_clean(nested);
  prompt_clean(misread);
  prompt_clean(references);
}

}  // namespace
}  // namespace mxdit

#include "io/json_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

void expect_bad(std::string_view text, std::initializer_list<std::string> parts) {
  SCOPED_TRACE(text.substr(0, 60));
  expect_error(ErrorKind::bad_input, parts, [&] { parse_json(text, "x.json"); });
}

TEST(ParseJson, BuildsTheSameDocumentAsTheLibrary) {
  for (const char* text :
       {"{}", "[]", "null", "3", R"({"a": [1, -2, 3.5, {"b": []}, [[]]], "c": {"d": null}})",
        R"(["\u00e9\ud83d\ude00", true, false, 18446744073709551615, 1e300])"})
    EXPECT_EQ(parse_json(text, "x.json"), Json::parse(text)) << text;
}

TEST(ParseJson, NamesFileLineAndColumn) {
  expect_bad("{\n  \"a\": 1,\n  \"b\" 2\n}", {"[io] x.json: line 3, column 7: expected JSON"});
  expect_bad("", {"x.json", "line 1", "unexpected end of input"});
  expect_bad("{} {}", {"x.json", "expected end of input"});
  expect_bad("{\"a\": NaN}", {"x.json", "line 1"});
  expect_bad("{\"a\": 1,}", {"x.json", "line 1"});
  expect_bad("{\"a\": 1} // no", {"x.json", "line 1"});
  expect_bad("{\"a\": 1e999}", {"x.json", "number overflow"});
  expect_bad("{\"a\": \"\\ud800\"}", {"x.json", "surrogate"});
}

TEST(ParseJson, RefusesTextBehindAZeroByte) {
  expect_bad(std::string_view("{}\n\0{", 5), {"x.json: line 2, column 1", "zero byte"});
  expect_bad(std::string_view("{\"a\0\": 1}", 10), {"x.json: line 1, column 4", "zero byte"});
}

TEST(ParseJson, RefusesWhatIsNotUtf8) {
  for (const char* bytes : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    expect_bad("{\"a\": \"" + std::string(bytes) + "\"}", {"x.json", "UTF-8"});
}

TEST(ParseJson, RefusesKeysGivenTwice) {
  expect_bad(R"({"a": {"key": 1, "b": 2, "key": 1}})",
             {"x.json: \"a\": expected", "\"key\" twice"});
  EXPECT_NO_THROW(parse_json(R"([{"a": 1}, {"a": 2}, {"b": {"a": 1}, "a": 1}])", "x.json"));
}

TEST(ParseJson, LimitsDepthWithoutTouchingTheStack) {
  const std::string fine = std::string(200, '[') + std::string(200, ']');
  EXPECT_NO_THROW(parse_json(fine, "x.json"));
  expect_bad("[" + fine + "]", {"x.json", "200 levels"});
  expect_bad(std::string(1000000, '['), {"x.json", "200 levels"});
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  expect_bad(objects, {"x.json", "200 levels"});
}

TEST(ReadJsonFile, ReadsAndNamesTheFile) {
  TemporaryFolder folder;
  EXPECT_EQ(read_json_file(folder.write("a.json", "{\"a\": 1}")), Json({{"a", 1}}));
  const auto bad = folder.write("bad.json", "{");
  expect_error(ErrorKind::bad_input, {bad.string(), "line 1"}, [&] { read_json_file(bad); });
  expect_error(ErrorKind::not_found, {"none.json"}, [&] { read_json_file(folder / "none.json"); });
}

TEST(ReadJsonFile, RefusesHugeFiles) {
  TemporaryFolder folder;
  const auto path = folder.write("huge.json", "");
  std::filesystem::resize_file(path, kMaxJsonBytes + 1);  // sparse
  expect_error(ErrorKind::bad_input, {path.string(), "at most 268435456 bytes"},
               [&] { read_json_file(path); });
}

class TypedAccess : public ::testing::Test {
 protected:
  template <typename T>
  void refuses(const char* key, std::initializer_list<std::string> parts) {
    expect_error(ErrorKind::bad_input, parts, [&] { required<T>(json_, key, "c.json"); });
    expect_error(ErrorKind::bad_input, parts, [&] { optional_or<T>(json_, key, T(), "c.json"); });
  }
  Json json_ = Json::parse(R"({"int": 7, "minus": -7, "real": 2.5, "text": "t", "flag": true,
    "none": null, "huge": 9223372036854775808, "ints": [1, 2], "reals": [1, 2.5],
    "flags": [true, false], "texts": ["a", "b"], "mixed": [1, "b"], "object": {}})");
};

TEST_F(TypedAccess, GivesEveryType) {
  EXPECT_EQ(required<int64_t>(json_, "int", "c.json"), 7);
  EXPECT_EQ(required<int64_t>(json_, "minus", "c.json"), -7);
  EXPECT_EQ(required<double>(json_, "real", "c.json"), 2.5);
  EXPECT_EQ(required<double>(json_, "int", "c.json"), 7.0);
  EXPECT_EQ(required<std::string>(json_, "text", "c.json"), "t");
  EXPECT_EQ(required<bool>(json_, "flag", "c.json"), true);
  EXPECT_EQ(required<std::vector<int64_t>>(json_, "ints", "c.json"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(required<std::vector<double>>(json_, "reals", "c.json"), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(required<std::vector<bool>>(json_, "flags", "c.json"),
            (std::vector<bool>{true, false}));
  EXPECT_EQ(required<std::vector<std::string>>(json_, "texts", "c.json"),
            (std::vector<std::string>{"a", "b"}));
}

TEST_F(TypedAccess, FallsBackForMissingAndNull) {
  EXPECT_EQ(optional_or<int64_t>(json_, "absent", 3, "c.json"), 3);
  EXPECT_EQ(optional_or<int64_t>(json_, "none", 3, "c.json"), 3);
  EXPECT_EQ(optional_or<int64_t>(json_, "int", 3, "c.json"), 7);
  EXPECT_EQ(optional_or<std::string>(json_, "absent", "x", "c.json"), "x");
}

TEST_F(TypedAccess, NamesKeyExpectedAndGot) {
  refuses<int64_t>("text", {"[io] c.json: key \"text\": expected an integer, got \"t\""});
  refuses<int64_t>("real", {"key \"real\": expected an integer, got 2.5"});
  refuses<int64_t>("flag", {"expected an integer, got true"});
  refuses<int64_t>("huge", {"expected an integer, got 9223372036854775808"});
  refuses<bool>("int", {"key \"int\": expected true or false, got 7"});
  refuses<std::string>("int", {"expected a string, got 7"});
  refuses<double>("object", {"expected a number, got an object"});
  refuses<std::vector<int64_t>>("int", {"key \"int\": expected an array, got 7"});
  refuses<std::vector<int64_t>>("mixed", {"key \"mixed\"[1]: expected an integer, got \"b\""});
  expect_error(ErrorKind::bad_input, {"c.json", "key \"absent\"", "got none"},
               [&] { required<bool>(json_, "absent", "c.json"); });
  expect_error(ErrorKind::bad_input, {"key \"none\"", "got null"},
               [&] { required<int64_t>(json_, "none", "c.json"); });
  expect_error(ErrorKind::bad_input, {"c.json", "an object with key \"a\"", "an array of 2"},
               [&] { optional_or<bool>(json_["ints"], "a", false, "c.json"); });
}

TEST(Describe, ShortensAndStaysPrintable) {
  EXPECT_LT(describe(std::string(100000, 'x')).size(), 300u);
  EXPECT_EQ(describe(Json("\xff")), "\"\\ufffd\"");
  EXPECT_EQ(describe(nullptr), "null");
}

}  // namespace
}  // namespace mxdit

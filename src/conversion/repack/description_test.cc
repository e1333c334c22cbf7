#include "conversion/repack/description.h"

#include <gtest/gtest.h>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit::conversion {
namespace {

constexpr const char* kText = R"({
  "version": "1.0.0", "model_quant_type": "W4A4_MXFP4", "group_size": 0,
  "z.weight": "FLOAT", "a.linear.weight": "W8A8_MXFP8", "scale_shift_table": "FLOAT",
  "metadata": {"z.weight": "not an entry"}, "mxfp4_dst_type_max": 7.25, "ignore": ["re:.*x"]})";

TEST(DescriptionTest, TellsEntriesFromSettings) {
  const auto description = Description::parse(kText, "d.json");
  EXPECT_EQ(description.entries(),
            (std::map<std::string, std::string>{{"z.weight", "FLOAT"},
                                                {"a.linear.weight", "W8A8_MXFP8"},
                                                {"scale_shift_table", "FLOAT"}}));
}

TEST(DescriptionTest, RenamesInPlaceAndKeepsTheRest) {
  const auto description = Description::parse(kText, "d.json");
  const std::string text = description.renamed_text(
      {{"z.weight", "b.weight"}, {"a.linear.weight", "a.weight"}, {"version", "no"}});
  std::string expected = nlohmann::ordered_json::parse(kText).dump(2) + "\n";
  expected.replace(expected.find("z.weight"), 8, "b.weight");
  expected.replace(expected.find("a.linear.weight"), 15, "a.weight");
  EXPECT_EQ(text, expected);
  EXPECT_EQ(description.renamed_text({}), nlohmann::ordered_json::parse(kText).dump(2) + "\n");
}

TEST(DescriptionTest, RefusesANameThatIsTaken) {
  expect_error(ErrorKind::bad_input,
               {"[conversion] d.json: entry \"z.weight\": expected a name of its own after "
                "renaming, got \"version\", which is taken"},
               [] {
                 Description::parse(kText, "d.json").renamed_text({{"z.weight", "version"}});
               });
}

TEST(DescriptionTest, RefusesWhatItCannotBe) {
  expect_error(ErrorKind::bad_input,
               {"[conversion] d.json: expected an object of tensor names, got an array of 1"},
               [] { Description::parse("[1]", "d.json"); });
  expect_error(ErrorKind::bad_input,
               {"[conversion] d.json: entry \"a.weight\": expected the name of a type, got 3"},
               [] { Description::parse(R"({"a.weight": 3})", "d.json"); });
  expect_error(ErrorKind::bad_input, {"d.json", "\"a.weight\" twice"}, [] {
    Description::parse(R"({"a.weight": "FLOAT", "a.weight": "FLOAT"})", "d.json");
  });
  for (const char* text : {"", "{", "{}x", "\xff", "{\"a.b\": null}"})
    expect_error(ErrorKind::bad_input, {"d.json"}, [&] { Description::parse(text, "d.json"); });
}

TEST(DescriptionTest, FindsTheFile) {
  TemporaryFolder folder;
  expect_error(ErrorKind::not_found,
               {folder.path().string() + ": expected a file quant_model_description*.json"},
               [&] { Description::read(folder.path()); });
  folder.write("quant_model_description_w8.json", R"({"b.weight": "FLOAT"})");
  folder.write("quant_model_description_w4.json", R"({"a.weight": "FLOAT"})");
  EXPECT_EQ(Description::read(folder.path()).entries().count("a.weight"), 1u);
  folder.write("quant_model_description.json", R"({"c.weight": "FLOAT"})");
  EXPECT_EQ(Description::read(folder.path()).entries().count("c.weight"), 1u);
}

}  // namespace
}  // namespace mxdit::conversion

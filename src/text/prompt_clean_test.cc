#include "text/prompt_clean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
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

}  // namespace
}  // namespace mxdit

#include "output_name.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace mxdit::cli {
namespace {

using Texts = std::vector<std::string>;

GenerateRequest request_for(const Texts& prompts, int outputs = 1) {
  GenerateRequest request;
  request.prompts = prompts;
  request.num_outputs_per_prompt = outputs;
  request.seed = 42;
  return request;
}

TEST(OutputName, DefaultHoldsPromptTimeAndHash) {
  const auto paths = output_paths({}, request_for({"A red, \"striped\" / thing!"}), 1, 1763732701);
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_TRUE(std::regex_match(
      paths[0], std::regex("outputs/A_red_striped_thing_[0-9]{8}-[0-9]{6}_[0-9a-f]{8}\\.mp4")))
      << paths[0];
}

TEST(OutputName, LongAndOddPromptsStayFileNames) {
  std::string emoji;
  for (int i = 0; i < 200; ++i) emoji += "\xF0\x9F\x98\x80";
  for (const std::string& prompt : {std::string(500, 'x'), emoji, std::string("../../etc/passwd"),
                                    std::string("-rf"), std::string("\n\t"), std::string()}) {
    const std::string path = output_paths({}, request_for({prompt}), 1, 0)[0];
    const std::string name = path.substr(8);
    EXPECT_LE(name.size(), 255u);
    EXPECT_EQ(name.find('/'), std::string::npos);
    EXPECT_NE(name[0], '.');
    EXPECT_NE(name[0], '-');
  }
}

TEST(OutputName, SeveralVideosGetDifferentNames) {
  const auto paths = output_paths({}, request_for({"a", "a"}, 2), 4, 0);
  EXPECT_EQ(std::set<std::string>(paths.begin(), paths.end()).size(), 4u);
  EXPECT_NE(paths[1].find("_1.mp4"), std::string::npos);
}

TEST(OutputName, SettingsChangeTheHash) {
  GenerateRequest a = request_for({"a"}), b = a;
  b.num_inference_steps = 3;
  EXPECT_NE(output_paths({}, a, 1, 0), output_paths({}, b, 1, 0));
}

TEST(OutputName, OwnNames) {
  const GenerateRequest request = request_for({"a"});
  const auto one = [&](const OutputOptions& options) {
    return output_paths(options, request, 1, 0)[0];
  };
  EXPECT_EQ(one({"o", "v", "", true}), "o/v.mp4");
  EXPECT_EQ(one({"o", "v.1", "", true}), "o/v.1.mp4");
  EXPECT_EQ(one({"o", "v.GIF", "", true}), "o/v.GIF");
  EXPECT_EQ(one({"o", "v/", "", true}), "o/v/");
  EXPECT_EQ(one({"o", "", "d/x.gif", true}), "d/x.gif");
  EXPECT_EQ(one({"o", "", "frames", true}), "frames");
  EXPECT_EQ(output_paths({"o", "", "d.x/v.gif", true}, request, 2, 0),
            (Texts{"d.x/v_0.gif", "d.x/v_1.gif"}));
  EXPECT_EQ(output_paths({"o", "", "frames/", true}, request, 2, 0),
            (Texts{"frames_0/", "frames_1/"}));
}

}  // namespace
}  // namespace mxdit::cli

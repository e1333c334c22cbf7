#include "quantization/layer_names.h"

#include <gtest/gtest.h>

namespace mxdit {
namespace {

TEST(LayerNames, IgnoredNamesAreRunsOfWholeSegments) {
  const std::string layer = "blocks.10.attn1.to_q";
  for (const char* name : {"blocks", "10", "attn1", "to_q", "blocks.10", "10.attn1", "attn1.to_q",
                           "blocks.10.attn1.to_q"})
    EXPECT_TRUE(is_ignored(layer, {"other", name})) << name;
  for (const char* name : {"", "block", "1", "0.attn1", "attn", "attn1.to_", "to_", "blocks.10.",
                           ".to_q", "blocks.attn1", "*", "blocks.10.attn1.to_q.weight"})
    EXPECT_FALSE(is_ignored(layer, {name})) << name;
  EXPECT_FALSE(is_ignored(layer, {}));
}

TEST(LayerNames, StarsStandForAnything) {
  for (const char* pattern : {"*", "a.*", "*c", "a*c", "a.b.c", "a.*.c", "**", "*.b.*"})
    EXPECT_TRUE(matches_stars(pattern, "a.b.c")) << pattern;
  for (const char* pattern : {"", "a", "a.b", "b*", "*b", "a.?.c", "a.[b].c", "A*", "a\\.b.c"})
    EXPECT_FALSE(matches_stars(pattern, "a.b.c")) << pattern;
  EXPECT_TRUE(matches_stars("a?[b]\\*", "a?[b]\\x"));
  EXPECT_FALSE(matches_stars(std::string("a*\0b", 4), "ax"));
}

TEST(LayerNames, ShellPatternsKnowSets) {
  for (const char* pattern : {"a.?.c", "a.[bx].c", "a.[!x].c", "*", "a.b*"})
    EXPECT_TRUE(matches_shell(pattern, "a.b.c")) << pattern;
  for (const char* pattern : {"a.[!b].c", "a.[b.c", "?", "a.\\b.c"})
    EXPECT_FALSE(matches_shell(pattern, "a.b.c")) << pattern;
}

}  // namespace
}  // namespace mxdit

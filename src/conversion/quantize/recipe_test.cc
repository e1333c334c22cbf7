#include "conversion/quantize/recipe.h"

#include <gtest/gtest.h>

#include <map>

#include "conversion/repack/layer_tensors.h"
#include "io/expect_error.h"

namespace mxdit::conversion {
namespace {

wan_dit::Config config(int64_t layers, int64_t head_dim = 128, int64_t ffn = 13824) {
  wan_dit::Config config;
  config.num_layers = layers;
  config.attention_head_dim = head_dim;
  config.ffn_dim = ffn;
  return config;
}

std::map<std::string_view, int> count(const std::vector<LayerChoice>& choices) {
  std::map<std::string_view, int> counts;
  for (const LayerChoice& choice : choices) ++counts[choice.type->name];
  return counts;
}

using Counts = std::map<std::string_view, int>;

TEST(Recipe, KeepsTheFirstEighthInEightBits) {
  EXPECT_EQ(default_mxfp8_blocks(40), 5);
  EXPECT_EQ(default_mxfp8_blocks(30), 4);
  EXPECT_EQ(default_mxfp8_blocks(4), 1);
  EXPECT_EQ(default_mxfp8_blocks(100), 5);
  const auto choices = choose_types(config(40), {});
  EXPECT_EQ(count(choices),
            (Counts{{"W8A8_MXFP8", 50}, {"W4A4_MXFP4_DUALSCALE", 350}, {"FLOAT", 1}}));
  EXPECT_EQ(choices[49].type, &kW8A8Mxfp8);
  EXPECT_EQ(choices[50].type, &kW4A4Mxfp4Dualscale);
  EXPECT_EQ(choices.back().layer.name, "proj_out");
  EXPECT_EQ(choices.back().reason, "stays plain without --proj-out");
}

TEST(Recipe, TakesANumberOfBlocks) {
  Recipe recipe;
  recipe.mxfp8_blocks = 0;
  EXPECT_EQ(count(choose_types(config(3), recipe)),
            (Counts{{"W4A4_MXFP4_DUALSCALE", 30}, {"FLOAT", 1}}));
  recipe.mxfp8_blocks = 99;
  EXPECT_EQ(count(choose_types(config(3), recipe)), (Counts{{"W8A8_MXFP8", 30}, {"FLOAT", 1}}));
}

TEST(Recipe, TakesOneTypeForAll) {
  Recipe recipe;
  recipe.type = &kW8A8Dynamic;
  recipe.proj_out = true;
  EXPECT_EQ(count(choose_types(config(3), recipe)), (Counts{{"W8A8_DYNAMIC", 31}}));
}

TEST(Recipe, KeepsWholeSegments) {
  Recipe recipe;
  recipe.keep = {"blocks.1", "attn2.to_q", "to_"};
  recipe.mxfp8_blocks = 0;
  const auto choices = choose_types(config(11), recipe);
  for (const LayerChoice& choice : choices) {
    const bool kept = choice.layer.block == 1 || choice.layer.name.ends_with("attn2.to_q");
    if (!choice.layer.block) continue;
    EXPECT_EQ(choice.type == &kFloat, kept) << choice.layer.name;
    EXPECT_EQ(choice.reason, kept ? "--keep names it" : "");
  }
}

TEST(Recipe, FallsBackByWidth) {
  Recipe recipe;
  recipe.mxfp8_blocks = 0;
  // 40 * 24 = 960 = 30 * 32 inputs, ffn.net.2 has 1024.
  auto choices = choose_types(config(1, 24, 1024), recipe);
  EXPECT_EQ(count(choices), (Counts{{"W4A4_MXFP4_DUALSCALE", 10}, {"FLOAT", 1}}));
  EXPECT_EQ(choices[0].reason, "");
  EXPECT_FALSE(choices[0].unfit);
  EXPECT_FALSE(choices.back().unfit);
  // 40 * 2 = 80 is no multiple of 32 either.
  recipe.mxfp8_blocks = 1;
  choices = choose_types(config(2, 2, 1040), recipe);
  EXPECT_EQ(count(choices), (Counts{{"FLOAT", 21}}));
  EXPECT_EQ(choices[0].reason, "in_features 80 is no multiple of 32");
  EXPECT_EQ(choices[10].reason, "in_features 80 is no multiple of 32");
}

TEST(WeightTypes, HaveTheTensorsThatRepackingExpects) {
  for (const WeightType* type : weight_types())
    for (const bool container : {false, true}) {
      const auto expected = layer_tensors(type->name, 64, 1024);
      ASSERT_TRUE(expected) << type->name;
      const auto parts = stored_parts(*type, 64, 1024, container);
      EXPECT_EQ(parts.front().name, "bias");
      for (const LayerTensor& tensor : *expected) {
        const auto part = std::find_if(parts.begin(), parts.end(),
                                       [&](const auto& p) { return p.name == tensor.name; });
        if (part == parts.end())
          EXPECT_FALSE(tensor.required) << type->name << " " << tensor.name;
        else
          EXPECT_TRUE(matches(tensor.forms, part->dtype, part->shape))
              << type->name << " " << tensor.name << " " << part->shape;
      }
    }
  EXPECT_EQ(stored_parts(kW4A4Mxfp4, 8, 64, true)[1].dtype, DType::f8_e4m3);
  EXPECT_EQ(stored_parts(kW4A4Mxfp4, 8, 64, false)[1].shape, (Shape{8, 32}));
}

TEST(WeightTypes, AreFoundByName) {
  EXPECT_EQ(&find_weight_type("W4A4_MXFP4"), &kW4A4Mxfp4);
  expect_error(ErrorKind::usage, {"--type", "W8A8_MXFP8, ", "\"FLOAT\""},
               [] { find_weight_type("FLOAT"); });
}

}  // namespace
}  // namespace mxdit::conversion

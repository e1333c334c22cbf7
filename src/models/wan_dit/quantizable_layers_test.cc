#include "models/wan_dit/quantizable_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mxdit::wan_dit {
namespace {

using ::testing::ElementsAre;

TEST(QuantizableLayers, AreThoseOfBlocksAndTheLast) {
  Config config;
  config.num_layers = 11;
  const auto layers = quantizable_layers(config);
  ASSERT_EQ(layers.size(), 11u * 10u + 1u);
  std::vector<std::string> names;
  for (size_t i = 100; i < 110; ++i) {
    names.push_back(layers[i].name);
    EXPECT_EQ(layers[i].block, 10);
  }
  EXPECT_THAT(
      names, ElementsAre("blocks.10.attn1.to_q", "blocks.10.attn1.to_k", "blocks.10.attn1.to_v",
                         "blocks.10.attn1.to_out.0", "blocks.10.attn2.to_q", "blocks.10.attn2.to_k",
                         "blocks.10.attn2.to_v", "blocks.10.attn2.to_out.0",
                         "blocks.10.ffn.net.0.proj", "blocks.10.ffn.net.2"));
  EXPECT_EQ(layers[9].out_features, 5120);
  EXPECT_EQ(layers[9].in_features, 13824);
  EXPECT_EQ(layers.back().name, "proj_out");
  EXPECT_FALSE(layers.back().block);
}

TEST(QuantizableLayers, HasImageProjectionsWhereTheModelHas) {
  Config config;
  config.num_layers = 1;
  config.image_dim = 1280;
  config.added_kv_proj_dim = 5120;
  const auto layers = quantizable_layers(config);
  ASSERT_EQ(layers.size(), 13u);
  EXPECT_EQ(layers[8].name, "blocks.0.attn2.add_k_proj");
  EXPECT_EQ(layers[9].name, "blocks.0.attn2.add_v_proj");
  EXPECT_EQ(layers[9].in_features, 5120);
}

}  // namespace
}  // namespace mxdit::wan_dit

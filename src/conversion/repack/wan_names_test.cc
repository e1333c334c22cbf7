#include "conversion/repack/wan_names.h"

#include <gtest/gtest.h>

#include "io/expect_error.h"

namespace mxdit::conversion {
namespace {

struct Example {
  const char* original;
  const char* diffusers;
};

// Written out by hand, not made from the table: one or more for every row.
constexpr Example kExamples[] = {
    {"patch_embedding.weight", "patch_embedding.weight"},
    {"time_embedding.0.weight", "condition_embedder.time_embedder.linear_1.weight"},
    {"time_embedding.2.bias", "condition_embedder.time_embedder.linear_2.bias"},
    {"text_embedding.0.weight", "condition_embedder.text_embedder.linear_1.weight"},
    {"text_embedding.2.weight", "condition_embedder.text_embedder.linear_2.weight"},
    {"time_projection.1.weight", "condition_embedder.time_proj.weight"},
    {"head.modulation", "scale_shift_table"},
    {"head.head.weight", "proj_out.weight"},
    {"head.head.weight_scale", "proj_out.weight_scale"},
    {"blocks.3.modulation", "blocks.3.scale_shift_table"},
    {"blocks.3.ffn.0.weight", "blocks.3.ffn.net.0.proj.weight"},
    {"blocks.3.ffn.2.weight_dual_scale", "blocks.3.ffn.net.2.weight_dual_scale"},
    {"blocks.12.norm1.weight", "blocks.12.norm1.weight"},
    {"blocks.12.norm2.weight", "blocks.12.norm3.weight"},
    {"blocks.12.norm3.weight", "blocks.12.norm2.weight"},
    {"img_emb.proj.0.weight", "condition_embedder.image_embedder.norm1.weight"},
    {"img_emb.proj.1.weight", "condition_embedder.image_embedder.ff.net.0.proj.weight"},
    {"img_emb.proj.3.weight", "condition_embedder.image_embedder.ff.net.2.weight"},
    {"img_emb.proj.4.bias", "condition_embedder.image_embedder.norm2.bias"},
    {"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"},
    {"blocks.0.self_attn.q.weight", "blocks.0.attn1.to_q.weight"},
    {"blocks.0.self_attn.k.weight", "blocks.0.attn1.to_k.weight"},
    {"blocks.0.self_attn.v.bias", "blocks.0.attn1.to_v.bias"},
    {"blocks.0.self_attn.o.weight", "blocks.0.attn1.to_out.0.weight"},
    {"blocks.0.self_attn.norm_q.weight", "blocks.0.attn1.norm_q.weight"},
    {"blocks.0.self_attn.norm_k.weight", "blocks.0.attn1.norm_k.weight"},
    {"blocks.0.self_attn.q_rot", "blocks.0.attn1.q_rot"},
    {"blocks.0.self_attn.k_rot", "blocks.0.attn1.k_rot"},
    {"blocks.39.cross_attn.q.weight", "blocks.39.attn2.to_q.weight"},
    {"blocks.39.cross_attn.k.weight", "blocks.39.attn2.to_k.weight"},
    {"blocks.39.cross_attn.v.weight", "blocks.39.attn2.to_v.weight"},
    {"blocks.39.cross_attn.o.bias", "blocks.39.attn2.to_out.0.bias"},
    {"blocks.39.cross_attn.norm_q.weight", "blocks.39.attn2.norm_q.weight"},
    {"blocks.39.cross_attn.norm_k.weight", "blocks.39.attn2.norm_k.weight"},
    {"blocks.39.cross_attn.k_img.weight", "blocks.39.attn2.add_k_proj.weight"},
    {"blocks.39.cross_attn.v_img.weight", "blocks.39.attn2.add_v_proj.weight"},
    {"blocks.39.cross_attn.norm_k_img.weight", "blocks.39.attn2.norm_added_k.weight"},
};

// Wrapped layers: the segment goes, and comes back when the layer has a mul_scale.
constexpr Example kWrapped[] = {
    {"blocks.1.self_attn.q.linear.weight", "blocks.1.attn1.to_q.weight"},
    {"blocks.1.self_attn.q.linear.bias", "blocks.1.attn1.to_q.bias"},
    {"blocks.1.self_attn.q.div.mul_scale", "blocks.1.attn1.to_q.mul_scale"},
    {"blocks.1.ffn.0.linear.weight_scale", "blocks.1.ffn.net.0.proj.weight_scale"},
    {"blocks.1.ffn.0.div.mul_scale", "blocks.1.ffn.net.0.proj.mul_scale"},
    {"head.head.linear.weight", "proj_out.weight"},
    {"head.head.div.mul_scale", "proj_out.mul_scale"},
};

TEST(WanNames, BothWays) {
  for (const Example& example : kExamples) {
    EXPECT_EQ(to_diffusers_name(example.original), example.diffusers);
    EXPECT_EQ(to_original_name(example.diffusers), example.original);
  }
  for (const Example& example : kWrapped) {
    EXPECT_EQ(to_diffusers_name(example.original), example.diffusers);
    EXPECT_EQ(to_original_name(example.diffusers, true), example.original);
  }
}

TEST(WanNames, EveryRowOfTheTableHasAnExample) {
  for (const NamePair& row : wan_name_table()) {
    std::string pattern(row.original);
    if (const size_t n = pattern.find(".N."); n != std::string::npos) pattern.erase(0, n + 3);
    bool found = false;
    for (const Example& example : kExamples)
      found |= std::string(example.original).find(pattern) != std::string::npos;
    EXPECT_TRUE(found) << row.original;
  }
}

TEST(WanNames, OnlyWholeSegments) {
  for (const char* name :
       {"blocks.0.self_attn.query", "blocks.x.self_attn.q", "time_embedding.00.x", "my.head.head",
        "linear", "x.linear", "linear.x", ".a..b.", "blocks.0.ffn.22.w", ""})
    EXPECT_EQ(to_diffusers_name(name),
              std::string(name) == "blocks.0.self_attn.query" ? "blocks.0.attn1.query" : name);
  EXPECT_EQ(to_diffusers_name("a.linear.linear.b"), "a.b");
  EXPECT_EQ(to_diffusers_name("blocks.0.self_attn.q.linears.weight"),
            "blocks.0.attn1.to_q.linears.weight");
}

TEST(WanNames, Parts) {
  EXPECT_EQ(layer_of("a.b.weight"), "a.b");
  EXPECT_EQ(last_segment("a.b.weight"), "weight");
  EXPECT_EQ(layer_of("table"), "");
  EXPECT_EQ(last_segment("table"), "table");
}

TEST(WanNames, BackWrapsOnlyLayersWithAScale) {
  const auto names = rename_all(
      {"blocks.0.attn1.to_q.bias", "blocks.0.attn1.to_q.mul_scale", "blocks.0.attn1.to_k.bias"},
      Direction::to_original, "here");
  EXPECT_EQ(names, (std::map<std::string, std::string>{
                       {"blocks.0.attn1.to_q.bias", "blocks.0.self_attn.q.linear.bias"},
                       {"blocks.0.attn1.to_q.mul_scale", "blocks.0.self_attn.q.div.mul_scale"},
                       {"blocks.0.attn1.to_k.bias", "blocks.0.self_attn.k.bias"}}));
}

TEST(WanNames, RefusesTwoNamesThatBecomeOne) {
  expect_error(ErrorKind::bad_input,
               {"[conversion] here: tensors \"blocks.0.ffn.0.bias\" and "
                "\"blocks.0.ffn.0.linear.bias\": expected names of their own after renaming, got "
                "\"blocks.0.ffn.net.0.proj.bias\" for both"},
               [] {
                 rename_all({"blocks.0.ffn.0.bias", "blocks.0.ffn.0.linear.bias"},
                            Direction::to_diffusers, "here");
               });
}

TEST(WanNames, RefusesNamesOfTheOtherSide) {
  expect_error(ErrorKind::bad_input,
               {"[conversion] here: tensor \"proj_out.weight\": expected a name as in Wan's "
                "original checkpoints, got one of diffusers"},
               [] { rename_all({"proj_out.weight"}, Direction::to_diffusers, "here"); });
  expect_error(ErrorKind::bad_input,
               {"[conversion] here: tensor \"head.head.weight\": expected a name of diffusers, got "
                "one as in Wan's original checkpoints"},
               [] { rename_all({"head.head.weight"}, Direction::to_original, "here"); });
}

}  // namespace
}  // namespace mxdit::conversion

#include "models/wan_dit/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace mxdit::wan_dit {
namespace {

using ::testing::HasSubstr;

// transformer/config.json of Wan2.2-T2V-A14B.
Json a14b() {
  return Json::parse(R"({"_class_name": "WanTransformer3DModel", "_diffusers_version": "0.35.0",
    "added_kv_proj_dim": null, "attention_head_dim": 128, "cross_attn_norm": true, "eps": 1e-06,
    "ffn_dim": 13824, "freq_dim": 256, "image_dim": null, "in_channels": 16,
    "num_attention_heads": 40, "num_layers": 40, "out_channels": 16, "patch_size": [1, 2, 2],
    "pos_embed_seq_len": null, "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024,
    "text_dim": 4096})");
}

void expect_refused(const std::string& key, const Json& value, ErrorKind kind) {
  Json json = a14b();
  json[key] = value;
  try {
    parse_config(json, "t/config.json");
    ADD_FAILURE() << key << ": accepted " << value;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("t/config.json"));
    EXPECT_THAT(error.what(), HasSubstr(key));
  }
}

TEST(WanDitConfig, ReadsWan) {
  const Config config = parse_config(a14b(), "config.json");
  EXPECT_EQ(config.inner(), 5120);
  EXPECT_EQ(config.ffn_dim, 13824);
  EXPECT_EQ(config.patch_volume(), 4);
  EXPECT_FALSE(config.image_dim);
}

TEST(WanDitConfig, HasDiffusersDefaults) {
  const Config config = parse_config(Json::object(), "config.json");
  EXPECT_EQ(config.inner(), 5120);
  EXPECT_EQ(config.num_layers, 40);
  EXPECT_EQ(config.freq_dim, 256);
  EXPECT_TRUE(config.cross_attn_norm);
}

TEST(WanDitConfig, NullOutputChannelsAreTheInputs) {
  Json json = a14b();
  json["in_channels"] = 36;
  json["out_channels"] = nullptr;
  EXPECT_EQ(parse_config(json, "config.json").out_channels, 36);
}

TEST(WanDitConfig, IgnoresWhatDiffusersIgnores) {
  Json json = a14b();
  json["_name_or_path"] = "x";
  json["model_max_length"] = 512;
  json["window_size"] = {-1, -1};
  EXPECT_NO_THROW(parse_config(json, "config.json"));
}

TEST(WanDitConfig, RefusesOtherNetworks) {
  expect_refused("qk_norm", "layer_norm", ErrorKind::unsupported);
  expect_refused("window_size", {8, 8}, ErrorKind::unsupported);
  Json json = a14b();
  json["added_kv_proj_dim"] = 5120;
  EXPECT_THROW(parse_config(json, "config.json"), Error);
  json["image_dim"] = 1280;
  EXPECT_NO_THROW(parse_config(json, "config.json"));
  json["added_kv_proj_dim"] = 1280;
  EXPECT_THROW(parse_config(json, "config.json"), Error);
}

TEST(WanDitConfig, RefusesAbsurdValues) {
  for (const char* key :
       {"num_attention_heads", "attention_head_dim", "in_channels", "out_channels", "text_dim",
        "freq_dim", "ffn_dim", "num_layers", "image_dim", "added_kv_proj_dim", "rope_max_seq_len",
        "pos_embed_seq_len"}) {
    for (const Json& value : {Json(0), Json(-5), Json(int64_t{1} << 31), Json(1.5), Json("4")})
      expect_refused(key, value, ErrorKind::bad_input);
  }
  expect_refused("patch_size", {1, 2}, ErrorKind::bad_input);
  expect_refused("patch_size", {1, 0, 2}, ErrorKind::bad_input);
  expect_refused("patch_size", {1, 2, 1000}, ErrorKind::bad_input);
  expect_refused("attention_head_dim", 127, ErrorKind::bad_input);
  expect_refused("num_attention_heads", 1 << 30, ErrorKind::bad_input);
  expect_refused("eps", 0, ErrorKind::bad_input);
  expect_refused("cross_attn_norm", "yes", ErrorKind::bad_input);
}

}  // namespace
}  // namespace mxdit::wan_dit

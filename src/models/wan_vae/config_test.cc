#include "models/wan_vae/config.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "io/json_file.h"

namespace mxdit::wan_vae {
namespace {

TEST(Config, DefaultsAreWan21) {
  const Config config = parse_config(Json::object(), "config.json");
  EXPECT_EQ(config.scale_spatial, 8);
  EXPECT_EQ(config.scale_temporal, 4);
  EXPECT_EQ(config.latents_mean.size(), 16u);
  const auto decoder = config.decoder_stages();
  ASSERT_EQ(decoder.size(), 4u);
  const int64_t in[] = {384, 192, 192, 96}, out[] = {384, 384, 192, 96},
                next[] = {192, 192, 96, 96};
  const bool temporal[] = {true, true, false, false};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(decoder[i].in_channels, in[i]);
    EXPECT_EQ(decoder[i].out_channels, out[i]);
    EXPECT_EQ(decoder[i].next_channels, next[i]);
    EXPECT_EQ(decoder[i].blocks, 3);
    EXPECT_EQ(decoder[i].temporal, temporal[i]);
    EXPECT_EQ(decoder[i].resample, i < 3);
  }
  const auto encoder = config.encoder_stages();
  EXPECT_EQ(encoder[1].in_channels, 96);
  EXPECT_EQ(encoder[1].out_channels, 192);
  EXPECT_TRUE(encoder[1].temporal);
  EXPECT_FALSE(encoder[3].resample);
}

struct Refusal {
  const char* json;
  ErrorKind kind;
  const char* key;
};

TEST(Config, RefusesWhatCannotBeMeantOrRun) {
  const Refusal refusals[] = {
      {R"({"is_residual": true})", ErrorKind::unsupported, "is_residual"},
      {R"({"patch_size": 2})", ErrorKind::unsupported, "patch_size"},
      {R"({"attn_scales": [0.5]})", ErrorKind::unsupported, "attn_scales"},
      {R"({"in_channels": 12})", ErrorKind::unsupported, "in_channels"},
      {R"({"out_channels": 12})", ErrorKind::unsupported, "out_channels"},
      {R"({"base_dim": 0})", ErrorKind::bad_input, "base_dim"},
      {R"({"base_dim": 1000000000000})", ErrorKind::bad_input, "base_dim"},
      {R"({"base_dim": "96"})", ErrorKind::bad_input, "base_dim"},
      {R"({"decoder_base_dim": -1})", ErrorKind::bad_input, "decoder_base_dim"},
      {R"({"z_dim": 1000000})", ErrorKind::bad_input, "z_dim"},
      {R"({"z_dim": 8})", ErrorKind::bad_input, "latents_mean"},
      {R"({"dim_mult": []})", ErrorKind::bad_input, "dim_mult"},
      {R"({"dim_mult": [1, 9223372036854775807, 4, 4]})", ErrorKind::bad_input, "dim_mult"},
      {R"({"dim_mult": [1, 2, 4]})", ErrorKind::bad_input, "temperal_downsample"},
      {R"({"num_res_blocks": 0})", ErrorKind::bad_input, "num_res_blocks"},
      {R"({"scale_factor_spatial": 16})", ErrorKind::bad_input, "scale_factor_spatial"},
      {R"({"scale_factor_temporal": 1})", ErrorKind::bad_input, "scale_factor_temporal"},
      {R"({"latents_mean": [0.5]})", ErrorKind::bad_input, "latents_mean"},
      {R"({"z_dim": 1, "latents_mean": [0], "latents_std": [0]})", ErrorKind::bad_input,
       "latents_std"},
      {R"({"dropout": "much"})", ErrorKind::bad_input, "dropout"},
      {R"([])", ErrorKind::bad_input, ""},
  };
  for (const Refusal& refusal : refusals) {
    try {
      parse_config(Json::parse(refusal.json), "vae/config.json");
      ADD_FAILURE() << "accepted " << refusal.json;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), refusal.kind) << refusal.json << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find("vae/config.json"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(refusal.key), std::string::npos) << error.what();
    }
  }
}

TEST(Config, AcceptsWhatFilesOfDiffusersHold) {
  const Json json = Json::parse(R"({"_class_name": "AutoencoderKLWan", "decoder_base_dim": null,
      "patch_size": null, "is_residual": false, "dropout": 0.1, "clip_output": false,
      "dim_mult": [1, 2], "temperal_downsample": [true], "scale_factor_spatial": 2,
      "scale_factor_temporal": 2})");
  const Config config = parse_config(json, "config.json");
  EXPECT_EQ(config.decoder_base_dim, 96);
  EXPECT_EQ(config.scale_temporal, 2);
}

}  // namespace
}  // namespace mxdit::wan_vae

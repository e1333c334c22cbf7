#include "models/umt5/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace mxdit::umt5 {
namespace {

using ::testing::HasSubstr;

// text_encoder/config.json of Wan2.2, shortened.
Json xxl() {
  return Json::parse(R"({"architectures": ["UMT5EncoderModel"], "d_ff": 10240, "d_kv": 64,
    "d_model": 4096, "dense_act_fn": "gelu_new", "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": true, "is_gated_act": true, "layer_norm_epsilon": 1e-06,
    "num_heads": 64, "num_layers": 24, "relative_attention_max_distance": 128,
    "relative_attention_num_buckets": 32, "scalable_attention": true, "vocab_size": 256384})");
}

void expect_refused(const std::string& key, const Json& value, ErrorKind kind) {
  Json json = xxl();
  json[key] = value;
  try {
    parse_config(json, "te/config.json");
    ADD_FAILURE() << key << ": accepted " << value;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("te/config.json"));
    EXPECT_THAT(error.what(), HasSubstr(key));
  }
}

TEST(Umt5Config, ReadsWan) {
  const Config config = parse_config(xxl(), "config.json");
  EXPECT_EQ(config.inner(), 4096);
  EXPECT_EQ(config.num_layers, 24);
  EXPECT_EQ(config.vocab_size, 256384);
  EXPECT_FLOAT_EQ(config.eps, 1e-6f);
}

TEST(Umt5Config, RefusesOtherNetworks) {
  expect_refused("feed_forward_proj", "relu", ErrorKind::unsupported);
  expect_refused("feed_forward_proj", "gated-silu", ErrorKind::unsupported);
  expect_refused("dense_act_fn", "gelu", ErrorKind::unsupported);
  expect_refused("is_gated_act", false, ErrorKind::unsupported);
  expect_refused("is_decoder", true, ErrorKind::unsupported);
}

TEST(Umt5Config, RefusesAbsurdValues) {
  for (const char* key : {"vocab_size", "d_model", "d_kv", "num_heads", "d_ff", "num_layers"}) {
    for (const Json& value : {Json(0), Json(-1), Json(int64_t{1} << 31), Json("4"), Json(nullptr)})
      expect_refused(key, value, ErrorKind::bad_input);
  }
  expect_refused("num_heads", 1 << 30, ErrorKind::bad_input);
  expect_refused("relative_attention_num_buckets", 2, ErrorKind::bad_input);
  expect_refused("relative_attention_num_buckets", 30, ErrorKind::bad_input);
  expect_refused("relative_attention_max_distance", 8, ErrorKind::bad_input);
  expect_refused("layer_norm_epsilon", -1.0, ErrorKind::bad_input);
}

}  // namespace
}  // namespace mxdit::umt5

#include "bench/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/token_grid.h"
#include "io/expect_error.h"

namespace mxdit::bench {
namespace {

using ::testing::ElementsAre;

// A second count of the same things: over the weights of the network, each used at every place of
// its input, plus attention.
double by_weights(const wan_dit::Config& c, double tokens, double text) {
  const double d = static_cast<double>(c.inner()), f = static_cast<double>(c.ffn_dim);
  const double per_token = 4 * d * d + 2 * d * d + 2 * d * f, per_text = 2 * d * d;
  const double layer = 2 * tokens * per_token + 2 * text * per_text + 4 * tokens * tokens * d +
                       4 * tokens * text * d;
  const double ends = 2 * tokens * d * 64 * 2 + 2 * d * (256 + d + 6 * d) +
                      2 * text * d * (static_cast<double>(c.text_dim) + d);
  return static_cast<double>(c.num_layers) * layer + ends;
}

TEST(OperationsTest, ForwardOfTheSmallModel) {
  wan_dit::Config config;
  config.num_attention_heads = 12;
  config.ffn_dim = 8960;
  config.num_layers = 30;
  const double counted = forward_operations(config, 4680, 512, true);
  EXPECT_DOUBLE_EQ(counted, by_weights(config, 4680, 512));
  EXPECT_NEAR(counted, 16.4e12, 0.2e12);  // about 12 of linears and 4 of attention
  EXPECT_LT(forward_operations(config, 4680, 512, false), counted);
}

// What torch.utils.flop_counter counts in diffusers' networks of these shapes.
TEST(OperationsTest, AgreeWithPyTorchsCounter) {
  wan_dit::Config config;
  config.num_attention_heads = 2;
  config.ffn_dim = 768;
  config.num_layers = 2;
  config.text_dim = 128;
  EXPECT_EQ(forward_operations(config, 12, 7, true), 45096960.0);
  EXPECT_EQ(decode_operations(wan_vae::Config{}, 3, 4, 6), 120282550272.0);
}

TEST(OperationsTest, DecodeGrowsWithPixelsAndFrames) {
  const wan_vae::Config config;
  const double small = decode_operations(config, 1, 4, 4);
  // Attention is quadratic, the rest linear in the pixels.
  EXPECT_GT(decode_operations(config, 1, 8, 4), 2 * small);
  EXPECT_LT(decode_operations(config, 1, 8, 4), 2.1 * small);
  // Latent frames after the first make four frames where it makes one.
  EXPECT_GT(decode_operations(config, 2, 4, 4), 3 * small);
  EXPECT_LT(decode_operations(config, 2, 4, 4), 5 * small);
}

// The smallest decoder there is, counted by hand: widths 4 (one stage, no resampling).
TEST(OperationsTest, DecodeByHand) {
  wan_vae::Config config;
  config.base_dim = config.decoder_base_dim = 4;
  config.z_dim = 2;
  config.dim_mult = {1};
  config.num_res_blocks = 0;
  config.temporal_downsample = {};
  const double positions = 3 * 6;  // three frames of 2 x 3
  const double residual = 2 * 2 * positions * 4 * 4 * 27;
  const double expected = 2 * positions * (2 * 2 + 2 * 4 * 27)            // into width 4
                          + 2 * residual                                  // the middle,
                          + 2 * positions * 4 * 16 + 3 * 4.0 * 6 * 6 * 4  // its attention
                          + residual                                      // one block
                          + 2 * positions * 4 * 3 * 27;                   // to pixels
  EXPECT_DOUBLE_EQ(decode_operations(config, 3, 2, 3), expected);
}

TEST(TokenGridTest, IsAsSquareAsItCanBe) {
  EXPECT_THAT(token_grid(4096, 1024), ElementsAre(1, 64, 64));
  EXPECT_THAT(token_grid(4680, 1024), ElementsAre(1, 65, 72));
  EXPECT_THAT(token_grid(7, 1024), ElementsAre(1, 1, 7));
  EXPECT_THAT(token_grid(27, 5), ElementsAre(3, 3, 3));
  expect_error(ErrorKind::usage, {"--tokens", "got 1031"}, [] { token_grid(1031, 1024); });
}

}  // namespace
}  // namespace mxdit::bench

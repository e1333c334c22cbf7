#include "engine/request.h"

#include <gtest/gtest.h>

namespace mxdit {
namespace {

class RequestTest : public testing::Test {
 protected:
  SamplingParams resolve(bool two_experts = true) {
    return resolve_request(request_, defaults_, {16, 16, 4}, two_experts,
                           [this](LogLevel, const std::string& line) { log_ += line; });
  }
  std::string error(bool two_experts = true) {
    try {
      resolve(two_experts);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      return e.what();
    }
    return "";
  }
  RequestTest() { request_.prompts = {"a"}; }

  GenerateRequest request_;
  SamplingDefaults defaults_ = family_defaults({40, 40, 16, true});
  std::string log_;
};

TEST_F(RequestTest, TakesTheModelsDefaults) {
  const SamplingParams params = resolve();
  EXPECT_EQ(params.width, 1280);
  EXPECT_EQ(params.seed, 42u);
  EXPECT_EQ(params.guidance_scale_2, 3.0);
  EXPECT_EQ(params.boundary_ratio, 0.875);
  EXPECT_TRUE(params.guided());
  EXPECT_TRUE(log_.empty());
}

TEST_F(RequestTest, AGuidanceScaleAloneIsMeantForBothExperts) {
  request_.guidance_scale = 1.0;
  EXPECT_EQ(resolve().guidance_scale_2, 1.0);
  EXPECT_FALSE(resolve().guided());
}

TEST_F(RequestTest, RoundsFrameCountsAsDiffusersDoesAndSaysSo) {
  for (const auto& [asked, made] : {std::pair{15, 13}, {16, 17}, {81, 81}, {1, 1}, {2, 1}, {4, 5}}) {
    request_.num_frames = asked;
    log_.clear();
    EXPECT_EQ(resolve().num_frames, made) << asked;
    EXPECT_EQ(log_.empty(), asked == made) << asked;
  }
}

TEST_F(RequestTest, RefusesSizesThatDoNotFitTheTokens) {
  request_.width = 100;
  EXPECT_EQ(error(), "[engine] --width: expected a multiple of 16 (96 or 112), got 100");
  request_.width = 8;
  EXPECT_EQ(error(), "[engine] --width: expected a multiple of 16 (16), got 8");
  request_.width = -16;
  EXPECT_EQ(error(), "[engine] --width: expected 1..16384, got -16");
}

TEST_F(RequestTest, RefusesWhatAModelWithoutASecondExpertCannotUse) {
  EXPECT_FALSE(resolve(false).boundary_ratio.has_value());
  request_.guidance_scale_2 = 2.0;
  EXPECT_NE(error(false).find("--guidance-scale-2: expected a model with two experts"),
            std::string::npos);
}

TEST_F(RequestTest, RefusesValuesOutOfRange) {
  request_.num_inference_steps = 0;
  EXPECT_EQ(error(), "[engine] --num-inference-steps: expected 1..1000, got 0");
  request_.num_inference_steps = 20;
  request_.boundary_ratio = 1.5;
  EXPECT_EQ(error(), "[engine] --boundary-ratio: expected 0..1, got 1.5");
  request_.boundary_ratio.reset();
  request_.latents_path = request_.from_latents_path = "x";
  EXPECT_NE(error().find("--latents and --from-latents"), std::string::npos);
}

TEST_F(RequestTest, NeedsAPromptUnlessItOnlyDecodes) {
  request_.prompts.clear();
  EXPECT_NE(error().find("expected at least one prompt"), std::string::npos);
  request_.from_latents_path = "x";
  EXPECT_EQ(error(), "");
}

TEST_F(RequestTest, ResolvedRequestsStayAsTheyAre) {
  const SamplingParams once = resolve();
  const GenerateRequest full = as_request(once, request_);
  request_ = full;
  const SamplingParams twice = resolve();
  EXPECT_EQ(once.guidance_scale_2, twice.guidance_scale_2);
  EXPECT_EQ(once.flow_shift, twice.flow_shift);
  EXPECT_EQ(once.negative_prompt, twice.negative_prompt);
}

}  // namespace
}  // namespace mxdit

#include "quantization/methods/modelslim/description.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace mxdit::modelslim {
namespace {

Description parse(const std::string& text) {
  return parse_description(parse_json(text, "d.json"), "d.json");
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return std::to_string(exit_status(error.kind())) + " " + error.what();
  }
  return "accepted";
}

TEST(Description, ReadsTypesAndSettings) {
  const Description description = parse(R"({
    "version": "1.0.0", "model_quant_type": "W4A4_MXFP4", "group_size": 32, "metadata": {"a": 1},
    "optional": {"quarot": {}}, "quant_method": "modelslim", "packed_modules_mapping": {},
    "fa_quant_type": null, "kv_cache_type": "FLOAT",
    "scale_shift_table": "FLOAT", "blocks.0.attn1.to_q.weight": "W4A4_MXFP4",
    "blocks.0.attn1.to_q.weight_scale": "W4A4_MXFP4", "blocks.0.attn1.to_q_rot": "FLOAT"})");
  EXPECT_EQ(description.types.size(), 4u);
  EXPECT_EQ(*description.type_of("scale_shift_table"), "FLOAT");
  EXPECT_EQ(description.type_of("version"), nullptr);
  EXPECT_EQ(description.parts_of("blocks.0.attn1.to_q"),
            (std::vector<std::string>{"weight", "weight_scale"}));
  EXPECT_FALSE(description.policy);
  EXPECT_FALSE(description.ignores("blocks.0.attn1.to_q"));
}

TEST(Description, RefusesOtherValues) {
  EXPECT_EQ(refusal("[]"),
            "3 [quantization] d.json: expected an object of tensor names and types, got an array of 0");
  EXPECT_EQ(refusal(R"({"a.weight": 3})"),
            "3 [quantization] d.json: \"a.weight\": expected the type of a tensor, got 3");
  EXPECT_EQ(refusal(R"({"a.weight": null})"),
            "3 [quantization] d.json: \"a.weight\": expected the type of a tensor, got null");
  EXPECT_EQ(refusal(R"({"new_setting": {}})"),
            "3 [quantization] d.json: \"new_setting\": expected the type of a tensor, got an object");
  EXPECT_EQ(refusal(R"({"version": 1})"),
            "3 [quantization] d.json: version: expected a string, got 1");
  EXPECT_EQ(refusal(R"({"group_size": "32"})"),
            "3 [quantization] d.json: group_size: expected an integer, got \"32\"");
  EXPECT_EQ(refusal(R"({"metadata": "x"})"),
            "3 [quantization] d.json: metadata: expected an object, got \"x\"");
  EXPECT_EQ(refusal(R"({"ignore": "x"})"),
            "3 [io] d.json: key \"ignore\": expected an array, got \"x\"");
  EXPECT_EQ(refusal(R"({"fa_quant_type": "FAQuant"})"),
            "5 [quantization] d.json: fa_quant_type: expected FLOAT (attention is not quantized), "
            "got \"FAQuant\"");
}

TEST(Description, RefusesATypeGivenTwice) {
  EXPECT_THROW(parse(R"({"a.weight": "FLOAT", "a.weight": "W8A8"})"), Error);
}

TEST(TimestepPolicyText, NamesStepsAndADefault) {
  const auto policy = *parse(R"({"timestep_policy": {"w4a4_linear":
      {"0": "W4A8", "12": "W4A8", "default": "W4A4"}}})").policy;
  EXPECT_EQ(policy.at(0), TimestepPolicy::Precision::w4a8);
  EXPECT_EQ(policy.at(1), TimestepPolicy::Precision::w4a4);
  EXPECT_EQ(policy.at(12), TimestepPolicy::Precision::w4a8);
  const auto other = *parse(R"({"timestep_policy": {"w4a4_linear":
      {"3": "W4A4", "default": "W4A8"}}})").policy;
  EXPECT_EQ(other.at(3), TimestepPolicy::Precision::w4a4);
  EXPECT_EQ(other.at(4), TimestepPolicy::Precision::w4a8);
  const auto silent = *parse(R"({"timestep_policy": {"w4a4_linear": {"3": "W4A8"}}})").policy;
  EXPECT_EQ(silent.at(0), TimestepPolicy::Precision::w4a4);
}

TEST(TimestepPolicyText, RefusesOthers) {
  const auto linear = [](const std::string& entry) {
    return refusal("{\"timestep_policy\": {\"w4a4_linear\": {" + entry + "}}}");
  };
  EXPECT_EQ(linear(R"("0": "W8A8")"),
            "5 [quantization] d.json: timestep_policy.w4a4_linear.0: expected W4A4 or W4A8, got "
            "\"W8A8\"");
  for (const char* step : {"-1", "1.5", "01", "x", "", "99999999999999999999", "1-5", "+1"})
    EXPECT_EQ(linear("\"" + std::string(step) + "\": \"W4A4\""),
              "3 [quantization] d.json: timestep_policy.w4a4_linear: expected steps (0, 1, ...) and "
              "\"default\", got \"" + std::string(step) + "\"");
  EXPECT_EQ(refusal(R"({"timestep_policy": 3})"),
            "3 [quantization] d.json: timestep_policy: expected an object, got 3");
  EXPECT_EQ(refusal(R"({"timestep_policy": {"w4a4_linear": "W4A4"}})"),
            "3 [quantization] d.json: timestep_policy.w4a4_linear: expected an object of steps and "
            "precisions, got \"W4A4\"");
  EXPECT_EQ(refusal(R"({"timestep_policy": {"conv": {}}})"),
            "5 [quantization] d.json: timestep_policy.conv: expected w4a4_linear or fa, got conv");
}

TEST(TimestepPolicyText, AttentionIsNotQuantized) {
  EXPECT_EQ(refusal(R"({"timestep_policy": {"fa": {"0": "FLOAT", "default": "FLOAT"}}})"),
            "accepted");
  for (const char* precision : {"FP8", "MXFP4"})
    EXPECT_EQ(refusal(R"({"timestep_policy": {"fa": {"3": ")" + std::string(precision) + "\"}}}"),
              "5 [quantization] d.json: timestep_policy.fa.3: expected FLOAT (attention is not "
              "quantized), got \"" + std::string(precision) + "\"");
}

bool ignores(const std::string& pattern, const std::string& layer) {
  return LayerPattern(pattern, "w").matches(layer);
}

TEST(LayerPatternTest, NamesAndEnds) {
  EXPECT_TRUE(ignores("proj_out", "proj_out"));
  EXPECT_TRUE(ignores("attn1.to_q", "blocks.0.attn1.to_q"));
  EXPECT_FALSE(ignores("to_q", "blocks.0.attn1.xto_q"));
  EXPECT_FALSE(ignores("blocks.0", "blocks.0.attn1.to_q"));
  EXPECT_FALSE(ignores("", "proj_out"));
}

TEST(LayerPatternTest, Expressions) {
  EXPECT_TRUE(ignores("re:.*\\.ffn\\..*", "blocks.0.ffn.net.2"));
  EXPECT_FALSE(ignores("re:ffn", "blocks.0.ffn.net.2"));  // from the beginning
  EXPECT_TRUE(ignores("re:blocks", "blocks.0.ffn.net.2"));
  EXPECT_FALSE(ignores("re:blocks$", "blocks.0.ffn.net.2"));
  EXPECT_TRUE(ignores("re:a|blocks\\.[0-4]\\.", "blocks.0.ffn.net.2"));
  EXPECT_FALSE(ignores("re:blocks\\.[0-4]\\.", "blocks.7.ffn.net.2"));
  EXPECT_FALSE(ignores("re:blocks\\.0\\.", "blocks.01"));
  EXPECT_TRUE(ignores("re:blocks\\.\\d+\\.attn\\d\\.to_\\w$", "blocks.12.attn2.to_q"));
}

TEST(LayerPatternTest, RefusesWhatItWouldReadOtherwise) {
  for (const char* text : {"re:a{2}", "re:(?i)a", "re:(a)\\1", "re:a*?", "re:a++", "re:[\\d]",
                           "re:[[:alpha:]]", "re:[]a]", "re:[^]a]", "re:\\b", "re:a\\"})
    EXPECT_THROW(LayerPattern(text, "w"), Error) << text;
  for (const char* text : {"re:", "re:(", "re:["}) EXPECT_THROW(LayerPattern(text, "w"), Error) << text;
  EXPECT_THROW(LayerPattern("re:" + std::string(201, 'a'), "w"), Error);
}

TEST(LayerPatternTest, NestedRepeatsStayFast) {
  for (const char* text : {"re:((a*)*)*b", "re:(((a*)+)?c)+", "re:((((a*)*)+)+)+)+]?$"})
    EXPECT_THROW(LayerPattern(text, "w"), Error) << text;
  EXPECT_TRUE(ignores("re:(a(b*))c(d+)(e|f)*", "abbcdef"));
  EXPECT_FALSE(ignores("re:(a|a|a)*(a|a)*c$", std::string(300, 'a')));
}

}  // namespace
}  // namespace mxdit::modelslim

// Normalization, activations, attention, rotary embedding and convolution through the C interface.
#include <cmath>

#include "ascend_emulator/operators/operator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr aclnnStatus kTiling = ACLNN_ERR_INNER_TILING_ERROR;

class NormTest : public OperatorTest {};

TEST_F(NormTest, LayerNormIsChecked) {
  const Specs base{{"x", {{4, 6}, ACL_BF16}},   {"w", {{6}}},       {"b", {{6}}},
                   {"out", {{4, 6}, ACL_BF16}}, {"mean", {{4, 1}}}, {"rstd", {{4, 1}}}};
  const auto plan = [&](const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnLayerNormGetWorkspaceSize(make("x", s.at("x")), ints({6}), make("w", s.at("w")),
                                            make("b", s.at("b")), 1e-6, make("out", s.at("out")),
                                            make("mean", s.at("mean")), make("rstd", s.at("rstd")),
                                            size, executor);
    });
  };
  expect_refused("aclnnLayerNorm", base,
                 {{"x null", {{"x", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "input"},
                  {"out null", {{"out", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "out"},
                  {"x int32", {{"x", {{4, 6}, ACL_INT32}}}, ACLNN_ERR_PARAM_INVALID, "dtype"},
                  {"w fp16", {{"w", {{6}, ACL_FLOAT16}}}, ACLNN_ERR_PARAM_INVALID, "weight"},
                  {"w and b differ", {{"b", {{6}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
                  {"w shape", {{"w", {{4}}}}, ACLNN_ERR_PARAM_INVALID, "weight"},
                  {"out dtype", {{"out", {{4, 6}}}}, ACLNN_ERR_PARAM_INVALID, "out"},
                  {"mean shape", {{"mean", {{4}}}}, ACLNN_ERR_PARAM_INVALID, "mean"}},
                 plan);
  Specs bare = base;
  for (const char* name : {"w", "b", "mean", "rstd"}) bare[name] = null_tensor();
  EXPECT_EQ(plan(bare), 0) << message();
  bare["x"].shape = bare["out"].shape = {6, 4};
  EXPECT_EQ(plan(bare), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("normalizedShape"));
}

TEST_F(NormTest, RmsNormNeedsItsStatistics) {
  const Specs base{
      {"x", {{4, 6}, ACL_BF16}}, {"gamma", {{6}}}, {"y", {{4, 6}, ACL_BF16}}, {"rstd", {{4, 1}}}};
  expect_refused("aclnnRmsNorm", base,
                 {{"rstd null", {{"rstd", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "rstd"},
                  {"rstd bf16", {{"rstd", {{4, 1}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "rstd"},
                  {"rstd shape", {{"rstd", {{4}}}}, ACLNN_ERR_PARAM_INVALID, "rstd"},
                  {"gamma null", {{"gamma", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "gamma"},
                  {"gamma fp16", {{"gamma", {{6}, ACL_FLOAT16}}}, ACLNN_ERR_PARAM_INVALID, "gamma"},
                  {"gamma shape", {{"gamma", {{4}}}}, ACLNN_ERR_PARAM_INVALID, "gamma"},
                  {"y dtype", {{"y", {{4, 6}}}}, ACLNN_ERR_PARAM_INVALID, "out"}},
                 [&](const Specs& s) {
                   return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
                     return aclnnRmsNormGetWorkspaceSize(
                         make("x", s.at("x")), make("gamma", s.at("gamma")), 1e-6,
                         make("y", s.at("y")), make("rstd", s.at("rstd")), size, executor);
                   });
                 });
}

TEST_F(NormTest, LayerNormRuns) {
  aclTensor* x = make_with<float>({{1, 2}}, {1, 3});
  void* out = device_memory(8);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnLayerNormGetWorkspaceSize(x, ints({2}), nullptr, nullptr, 0,
                                                        make_at({{1, 2}}, out), nullptr, nullptr,
                                                        size, executor);
                },
                aclnnLayerNorm),
            0)
      << message();
  EXPECT_THAT(read<float>(out, 2), ElementsAre(-1, 1));
}

TEST_F(NormTest, ActivationsAreChecked) {
  const Specs base{{"self", {{4, 6}, ACL_BF16}}, {"out", {{4, 6}, ACL_BF16}}};
  const std::vector<WrongArgument> cases{
      {"self null", {{"self", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR},
      {"out null", {{"out", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR},
      {"int8", {{"self", {{4, 6}, ACL_INT8}}}},
      {"out dtype", {{"out", {{4, 6}}}}},
      {"out shape", {{"out", {{6, 4}, ACL_BF16}}}},
      {"NZ",
       {{"self", {{16, 16}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {}, {1, 1, 16, 16}}},
        {"out", {{16, 16}, ACL_BF16}}}}};
  expect_refused("aclnnSilu", base, cases, [&](const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnSiluGetWorkspaceSize(make("self", s.at("self")), make("out", s.at("out")), size,
                                       executor);
    });
  });
  int64_t number = 1;
  const auto gelu = [&](const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnGeluV2GetWorkspaceSize(make("self", s.at("self")), number,
                                         make("out", s.at("out")), size, executor);
    });
  };
  expect_refused("aclnnGeluV2", base, cases, gelu);
  const auto softmax = [&](const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnSoftmaxGetWorkspaceSize(make("self", s.at("self")), number,
                                          make("out", s.at("out")), size, executor);
    });
  };
  expect_refused("aclnnSoftmax", base, cases, softmax);
  number = 2;
  EXPECT_EQ(gelu(base), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(softmax(base), ACLNN_ERR_PARAM_INVALID);
}

class AttentionTest : public OperatorTest {
 protected:
  Specs base_{{"q", {{1, 5, 2, 8}, ACL_BF16}}, {"k", {{1, 7, 2, 8}, ACL_BF16}},
              {"v", {{1, 7, 2, 8}, ACL_BF16}}, {"pse", null_tensor()},
              {"mask", null_tensor()},         {"max", {{1, 2, 5, 8}}},
              {"sum", {{1, 2, 5, 8}}},         {"out", {{1, 5, 2, 8}, ACL_BF16}}};
  std::string layout_ = "BSND";
  double keep_ = 1;
  int64_t tokens_ = 2147483647, heads_ = 2, sparse_ = 0, pse_type_ = 1;
  const aclIntArray* lengths_ = nullptr;

  aclnnStatus phase1(const std::function<aclTensor*(const char*)>& tensor, uint64_t* size,
                     aclOpExecutor** executor) {
    return aclnnFlashAttentionScoreV4GetWorkspaceSize(
        tensor("q"), tensor("k"), tensor("v"), tensor("pse"), nullptr, nullptr, tensor("mask"),
        nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, lengths_, nullptr, nullptr,
        nullptr, 0.5, keep_, tokens_, tokens_, heads_, layout_.data(), 0, sparse_, 0, pse_type_,
        nullptr, 0, 0, tensor("max"), tensor("sum"), nullptr, tensor("out"), size, executor);
  }
  aclnnStatus plan(const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return phase1([&](const char* name) { return make(name, s.at(name)); }, size, executor);
    });
  }
};

TEST_F(AttentionTest, EachArgumentIsChecked) {
  expect_refused(
      "aclnnFlashAttentionScoreV4", base_,
      {{"q null", {{"q", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "query"},
       {"max null", {{"max", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "softmaxMax"},
       {"out null", {{"out", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "attentionOut"},
       {"pse", {{"pse", {{1}}}}, ACLNN_ERR_PARAM_INVALID, "pse"},
       {"k dtype", {{"k", {{1, 7, 2, 8}, ACL_FLOAT16}}}, ACLNN_ERR_PARAM_INVALID, "key"},
       {"mask dtype", {{"mask", {{5, 7}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "attenMask"},
       {"mask shape", {{"mask", {{7, 5}, ACL_BOOL}}}, ACLNN_ERR_PARAM_INVALID, "attenMask"},
       {"q 3-D", {{"q", {{1, 5, 16}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "query"},
       {"k batch", {{"k", {{2, 7, 2, 8}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "key"},
       {"v shape", {{"v", {{1, 6, 2, 8}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "value"},
       {"D too large",
        {{"q", {{1, 5, 2, 770}, ACL_BF16}},
         {"k", {{1, 7, 2, 770}, ACL_BF16}},
         {"v", {{1, 7, 2, 770}, ACL_BF16}}},
        ACLNN_ERR_PARAM_INVALID,
        "query"},
       {"max shape", {{"max", {{1, 2, 5}}}}, ACLNN_ERR_PARAM_INVALID, "softmaxMax"},
       {"sum bf16", {{"sum", {{1, 2, 5, 8}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "softmaxSum"},
       {"out shape", {{"out", {{1, 2, 5, 8}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "attentionOut"}},
      [&](const Specs& s) { return plan(s); });
}

TEST_F(AttentionTest, AttributesAreChecked) {
  const auto refused = [&](auto& attribute, auto value, const char* text) {
    const auto before = attribute;
    attribute = value;
    EXPECT_EQ(plan(base_), ACLNN_ERR_PARAM_INVALID) << text;
    EXPECT_THAT(message(), HasSubstr(text));
    attribute = before;
  };
  refused(layout_, "TND", "inputLayout");
  refused(keep_, 0.9, "keepProb");
  refused(tokens_, 128, "preTokens");
  refused(heads_, 4, "headNum");
  refused(heads_, 0, "headNum");
  refused(sparse_, 2, "sparseMode");
  refused(pse_type_, 0, "pseType");
  refused(lengths_, ints({5}), "actualSeqQ");
}

TEST_F(AttentionTest, AllLayoutsGiveTheSame) {
  // Two heads of one query and two keys; values differ by head.
  const std::vector<float> q{1, 0, 0, 1}, k{1, 0, 0, 1, 0, 1, 1, 0}, v{1, 2, 3, 4, 5, 6, 7, 8};
  const double e = std::exp(0.5), near = e / (e + 1), far = 1 / (e + 1);
  const auto mixed = [&](float a, float b) {
    return static_cast<float>(static_cast<double>(static_cast<float>(near)) * a +
                              static_cast<double>(static_cast<float>(far)) * b);
  };
  const std::map<std::string, std::pair<Dims, Dims>> layouts{{"BSND", {{1, 1, 2, 2}, {1, 2, 2, 2}}},
                                                             {"BSH", {{1, 1, 4}, {1, 2, 4}}},
                                                             {"SBH", {{1, 1, 4}, {2, 1, 4}}}};
  for (const auto& [layout, shapes] : layouts) {
    layout_ = layout;
    void *out = device_memory(16), *maximum = device_memory(64), *sum = device_memory(64);
    std::map<std::string, aclTensor*> tensors{{"q", make_with<float>({shapes.first}, q)},
                                              {"k", make_with<float>({shapes.second}, k)},
                                              {"v", make_with<float>({shapes.second}, v)},
                                              {"pse", nullptr},
                                              {"mask", nullptr},
                                              {"max", make_at({{1, 2, 1, 8}}, maximum)},
                                              {"sum", make_at({{1, 2, 1, 8}}, sum)},
                                              {"out", make_at({shapes.first}, out)}};
    ASSERT_EQ(complete(
                  [&](uint64_t* size, aclOpExecutor** executor) {
                    return phase1([&](const char* name) { return tensors.at(name); }, size,
                                  executor);
                  },
                  aclnnFlashAttentionScoreV4),
              0)
        << layout << message();
    EXPECT_THAT(read<float>(out, 4),
                ElementsAre(mixed(1, 5), mixed(2, 6), mixed(3, 7), mixed(4, 8)))
        << layout;
    EXPECT_THAT(read<float>(maximum, 16), Each(0.5f));
  }
}

class RotaryTest : public OperatorTest {};

TEST_F(RotaryTest, EachArgumentIsChecked) {
  const Specs base{{"x", {{1, 5, 2, 8}, ACL_BF16}},
                   {"cos", {{1, 5, 1, 8}, ACL_BF16}},
                   {"sin", {{1, 5, 1, 8}, ACL_BF16}},
                   {"out", {{1, 5, 2, 8}, ACL_BF16}}};
  int64_t mode = 1;
  const auto plan = [&](const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnRotaryPositionEmbeddingGetWorkspaceSize(
          make("x", s.at("x")), make("cos", s.at("cos")), make("sin", s.at("sin")), mode,
          make("out", s.at("out")), size, executor);
    });
  };
  expect_refused("aclnnRotaryPositionEmbedding", base,
                 {{"cos null", {{"cos", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "cos"},
                  {"cos fp32", {{"cos", {{1, 5, 1, 8}}}}, ACLNN_ERR_PARAM_INVALID, "cos"},
                  {"x int8", {{"x", {{1, 5, 2, 8}, ACL_INT8}}}, ACLNN_ERR_PARAM_INVALID, "x"},
                  {"cos shape", {{"cos", {{1, 4, 1, 8}, ACL_BF16}}}, kTiling, "cos"},
                  {"cos half", {{"cos", {{1, 5, 1, 4}, ACL_BF16}}}, kTiling, "cos"},
                  {"sin shape", {{"sin", {{1, 1, 1, 8}, ACL_BF16}}}, kTiling, "sin"},
                  {"D odd",
                   {{"x", {{1, 5, 2, 7}, ACL_BF16}}, {"out", {{1, 5, 2, 7}, ACL_BF16}}},
                   kTiling,
                   "x"},
                  {"x 2-D", {{"x", {{5, 8}, ACL_BF16}}}, kTiling, "x"},
                  {"out shape", {{"out", {{1, 5, 8, 2}, ACL_BF16}}}, kTiling, "out"}},
                 plan);
  mode = 2;
  EXPECT_EQ(plan(base), ACLNN_ERR_PARAM_INVALID);
}

class ConvolutionTest : public OperatorTest {
 protected:
  static TensorSpec volume(const Dims& shape) { return {shape, ACL_BF16, ACL_FORMAT_NCDHW}; }
  Specs base_{{"input", volume({1, 4, 3, 8, 8})},
              {"weight", volume({6, 4, 3, 3, 3})},
              {"bias", {{6}, ACL_BF16}},
              {"out", volume({1, 6, 1, 8, 8})}};
  Dims stride_{1, 1, 1}, padding_{0, 1, 1}, dilation_{1, 1, 1};
  bool transposed_ = false;
  int64_t groups_ = 1;
  int8_t cube_ = 0;

  aclnnStatus plan(const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnConvolutionGetWorkspaceSize(
          make("input", s.at("input")), make("weight", s.at("weight")), make("bias", s.at("bias")),
          ints(stride_), ints(padding_), ints(dilation_), transposed_, ints({0, 0, 0}), groups_,
          make("out", s.at("out")), cube_, size, executor);
    });
  }
};

TEST_F(ConvolutionTest, EachArgumentIsChecked) {
  expect_refused(
      "aclnnConvolution", base_,
      {{"input null", {{"input", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "input"},
       {"input ND",
        {{"input", {{1, 4, 3, 8, 8}, ACL_BF16}}},
        ACLNN_ERR_PARAM_INVALID,
        "input: expected format NCDHW"},
       {"weight ND", {{"weight", {{6, 4, 3, 3, 3}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "weight"},
       {"out ND", {{"out", {{1, 6, 1, 8, 8}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "output"},
       {"2-D",
        {{"input", {{1, 4, 8, 8}, ACL_BF16, ACL_FORMAT_NCHW}}},
        ACLNN_ERR_PARAM_INVALID,
        "input"},
       {"4 dims called NCDHW", {{"input", volume({4, 3, 8, 8})}}, ACLNN_ERR_PARAM_INVALID, "input"},
       {"weight fp32",
        {{"weight", {{6, 4, 3, 3, 3}, ACL_FLOAT, ACL_FORMAT_NCDHW}}},
        ACLNN_ERR_PARAM_INVALID,
        "weight"},
       {"bias fp16", {{"bias", {{6}, ACL_FLOAT16}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"bias shape", {{"bias", {{4}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"channels", {{"weight", volume({6, 2, 3, 3, 3})}}, ACLNN_ERR_PARAM_INVALID, "weight"},
       {"kernel too long",
        {{"weight", volume({6, 4, 4, 3, 3})}},
        ACLNN_ERR_PARAM_INVALID,
        "weight"},
       {"out shape",
        {{"out", volume({1, 6, 3, 8, 8})}},
        ACLNN_ERR_PARAM_INVALID,
        "output: expected shape [1,6,1,8,8]"}},
      [&](const Specs& s) { return plan(s); });
}

TEST_F(ConvolutionTest, AttributesAreChecked) {
  const auto refused = [&](auto& attribute, auto value, const char* text) {
    const auto before = attribute;
    attribute = value;
    EXPECT_EQ(plan(base_), ACLNN_ERR_PARAM_INVALID) << text;
    EXPECT_THAT(message(), HasSubstr(text));
    attribute = before;
  };
  refused(stride_, Dims{1, 1}, "stride");
  refused(stride_, Dims{1, 0, 1}, "stride");
  refused(stride_, Dims{1, 64, 1}, "stride");
  refused(padding_, Dims{0, 256, 1}, "padding");
  refused(padding_, Dims{0, -1, 1}, "padding");
  refused(dilation_, Dims{0, 1, 1}, "dilation");
  refused(transposed_, true, "transposed");
  refused(groups_, 0, "groups");
  refused(cube_, int8_t{2}, "cubeMathType");
}

TEST_F(ConvolutionTest, SumsTheNeighbourhood) {
  aclTensor* x = make_with<float>({{1, 1, 1, 1, 3}, ACL_FLOAT, ACL_FORMAT_NCDHW}, {1, 2, 3});
  aclTensor* w = make_with<float>({{1, 1, 1, 1, 3}, ACL_FLOAT, ACL_FORMAT_NCDHW}, {1, 10, 100});
  aclTensor* b = make_with<float>({{1}}, {0.5f});
  void* out = device_memory(12);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnConvolutionGetWorkspaceSize(
                      x, w, b, ints({1, 1, 1}), ints({0, 0, 1}), ints({1, 1, 1}), false, nullptr, 1,
                      make_at({{1, 1, 1, 1, 3}, ACL_FLOAT, ACL_FORMAT_NCDHW}, out), 0, size,
                      executor);
                },
                aclnnConvolution),
            0)
      << message();
  EXPECT_THAT(read<float>(out, 3), ElementsAre(210.5f, 321.5f, 32.5f));
}

}  // namespace
}  // namespace ascend_emulator

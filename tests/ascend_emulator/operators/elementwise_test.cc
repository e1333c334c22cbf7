// Add, Mul, Cast and the operators that move elements, through the C interface.
#include "ascend_emulator/operators/operator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const TensorSpec kNz{{16, 32}, ACL_FLOAT16, ACL_FORMAT_FRACTAL_NZ, {}, {2, 1, 16, 16}};

class ElementwiseTest : public OperatorTest {
 protected:
  Specs base_{{"self", {{4, 6}}}, {"other", {{6}}}, {"out", {{4, 6}}}};
};

TEST_F(ElementwiseTest, AddAndSubCheckTheirArguments) {
  const aclScalar* one = scalar(1.0f);
  const std::vector<WrongArgument> cases{
      {"self null", {{"self", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "self"},
      {"other null", {{"other", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "other"},
      {"out null", {{"out", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "out"},
      {"self int32",
       {{"self", {{4, 6}, ACL_INT32}}},
       ACLNN_ERR_PARAM_INVALID,
       "self: expected dtype"},
      {"mixed types",
       {{"other", {{6}, ACL_BF16}}},
       ACLNN_ERR_PARAM_INVALID,
       "other: expected dtype FLOAT"},
      {"out bf16", {{"out", {{4, 6}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out"},
      {"no broadcast", {{"other", {{4}}}}, ACLNN_ERR_PARAM_INVALID, "other"},
      {"out shape", {{"out", {{6, 4}}}}, ACLNN_ERR_PARAM_INVALID, "out"},
      {"9-D", {{"self", {{1, 1, 1, 1, 1, 1, 1, 4, 6}}}}, ACLNN_ERR_PARAM_INVALID, "rank"},
      {"NZ",
       {{"self", kNz}, {"other", {{32}, ACL_FLOAT16}}, {"out", {{16, 32}, ACL_FLOAT16}}},
       ACLNN_ERR_PARAM_INVALID,
       "FRACTAL_NZ"}};
  const auto with = [&](auto* function) {
    return [this, function, one](const Specs& s) {
      return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
        return function(make("self", s.at("self")), make("other", s.at("other")), one,
                        make("out", s.at("out")), size, executor);
      });
    };
  };
  expect_refused("aclnnAdd", base_, cases, with(aclnnAddGetWorkspaceSize));
  expect_refused("aclnnSub", base_, cases, with(aclnnSubGetWorkspaceSize));
  const auto mul = [&](const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnMulGetWorkspaceSize(make("self", s.at("self")), make("other", s.at("other")),
                                      make("out", s.at("out")), size, executor);
    });
  };
  expect_refused("aclnnMul", base_, cases, mul);
}

TEST_F(ElementwiseTest, AlphaIsNoOptionalArgument) {
  const auto plan = [&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnAddGetWorkspaceSize(make("self", base_["self"]), make("other", base_["other"]),
                                    nullptr, make("out", base_["out"]), size, executor);
  };
  EXPECT_EQ(plan_only(plan), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_THAT(message(), HasSubstr("alpha"));
}

TEST_F(ElementwiseTest, ScalarOperators) {
  aclTensor* x = make_with<float>({{3}}, {1, 2, 3});
  void* out = device_memory(12);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnAddsGetWorkspaceSize(x, scalar(10.0), scalar(2.0f),
                                                   make_at({{3}}, out), size, executor);
                },
                aclnnAdds),
            0)
      << message();
  EXPECT_THAT(read<float>(out, 3), ElementsAre(21, 22, 23));
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnMulsGetWorkspaceSize(x, scalar(-2.0f), make_at({{3}}, out), size,
                                                   executor);
                },
                aclnnMuls),
            0)
      << message();
  EXPECT_THAT(read<float>(out, 3), ElementsAre(-2, -4, -6));
  const auto refused = [&](const aclScalar* other, const aclScalar* alpha,
                           const TensorSpec& target) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnAddsGetWorkspaceSize(x, other, alpha, make("out", target), size, executor);
    });
  };
  EXPECT_EQ(refused(nullptr, scalar(1.0f), {{3}}), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(refused(scalar(1.0f), nullptr, {{3}}), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(refused(scalar(1.0f), scalar(1.0f), {{1, 3}}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(refused(scalar(1.0f), scalar(1.0f), {{3}, ACL_BF16}), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(ElementwiseTest, BroadcastsIntoAStridedOutput) {
  aclTensor* x = make_with<float>({{2, 1}}, {1, 2});
  aclTensor* y = make_with<float>({{3}}, {10, 20, 30});
  aclTensor* z =
      make_with<float>({{2, 3}, ACL_FLOAT, ACL_FORMAT_ND, {1, 2}, {6}}, std::vector<float>(6, 0));
  void* out = last_memory();
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnMulGetWorkspaceSize(x, y, z, size, executor);
                },
                aclnnMul),
            0)
      << message();
  EXPECT_THAT(read<float>(out, 6), ElementsAre(10, 20, 20, 40, 30, 60));
}

TEST_F(ElementwiseTest, CastChecksItsArguments) {
  const Specs base{{"self", {{4, 6}}}, {"out", {{4, 6}, ACL_BF16}}};
  const auto to = [&](aclDataType dtype) {
    return [this, dtype](const Specs& s) {
      return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
        return aclnnCastGetWorkspaceSize(make("self", s.at("self")), dtype,
                                         make("out", s.at("out")), size, executor);
      });
    };
  };
  expect_refused(
      "aclnnCast", base,
      {{"self null", {{"self", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "self"},
       {"dtype differs from out's",
        {{"out", {{4, 6}, ACL_FLOAT16}}},
        ACLNN_ERR_PARAM_INVALID,
        "out"},
       {"shape", {{"out", {{6, 4}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out"},
       {"E8M0", {{"self", {{4, 6}, ACL_FLOAT8_E8M0}}}, ACLNN_ERR_PARAM_INVALID, "self"},
       {"HIF8", {{"self", {{4, 6}, ACL_HIFLOAT8}}}, ACLNN_ERR_PARAM_INVALID, "self"},
       {"NZ", {{"self", kNz}, {"out", {{16, 32}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "self"}},
      to(ACL_BF16));
  const Specs fp4{{"self", {{4, 6}, ACL_FLOAT8_E4M3FN}}, {"out", {{4, 6}, ACL_FLOAT4_E2M1}}};
  expect_refused("aclnnCast", fp4,
                 {{"strided",
                   {{"self", {{4, 6}, ACL_FLOAT8_E4M3FN, ACL_FORMAT_ND, {1, 4}, {24}}}},
                   ACLNN_ERR_PARAM_INVALID,
                   "contiguous"},
                  {"odd",
                   {{"self", {{4, 5}, ACL_BF16}}, {"out", {{4, 5}, ACL_FLOAT4_E2M1}}},
                   ACLNN_ERR_PARAM_INVALID,
                   "even"},
                  {"from int32", {{"self", {{4, 6}, ACL_INT32}}}, ACLNN_ERR_PARAM_INVALID, "self"}},
                 to(ACL_FLOAT4_E2M1));
}

TEST_F(ElementwiseTest, CastPacksFp4) {
  aclTensor* x = make_with<uint8_t>({{1, 4}, ACL_FLOAT8_E4M3FN}, {0x38, 0xc0, 0x4c, 0x00});
  void* out = device_memory(2);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnCastGetWorkspaceSize(
                      x, ACL_FLOAT4_E2M1, make_at({{1, 4}, ACL_FLOAT4_E2M1}, out), size, executor);
                },
                aclnnCast),
            0)
      << message();
  EXPECT_THAT(read<uint8_t>(out, 2), ElementsAre(0xc2, 0x07));
}

class MovementTest : public OperatorTest {};

TEST_F(MovementTest, PermuteChecksItsAxes) {
  const auto permute = [&](const TensorSpec& self, const Dims& axes, const TensorSpec& out) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnPermuteGetWorkspaceSize(make("self", self), ints(axes), make("out", out), size,
                                          executor);
    });
  };
  EXPECT_EQ(permute({{2, 3, 4}}, {2, 0, 1}, {{4, 2, 3}}), 0) << message();
  EXPECT_EQ(permute({{2, 3, 4}}, {-1, 0, 1}, {{4, 2, 3}}), 0) << message();
  EXPECT_EQ(permute({{2, 3, 4}}, {2, 0, 0}, {{4, 2, 3}}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("aclnnPermute"));
  EXPECT_EQ(permute({{2, 3, 4}}, {2, 0}, {{4, 2, 3}}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(permute({{2, 3, 4}}, {3, 0, 1}, {{4, 2, 3}}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(permute({{2, 3, 4}}, {2, 0, 1}, {{2, 3, 4}}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(permute({{2, 3, 4}}, {2, 0, 1}, {{4, 2, 3}, ACL_BF16}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(permute({{2, 4}, ACL_FLOAT4_E2M1}, {1, 0}, {{4, 2}, ACL_FLOAT4_E2M1}),
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(permute(null_tensor(), {0}, {{1}}), ACLNN_ERR_PARAM_NULLPTR);
  const auto no_axes = [&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnPermuteGetWorkspaceSize(make("self", {{2}}), nullptr, make("out", {{2}}), size,
                                        executor);
  };
  EXPECT_EQ(plan_only(no_axes), ACLNN_ERR_PARAM_NULLPTR);
}

TEST_F(MovementTest, CatJoinsAndChecks) {
  aclTensor* parts[] = {make_with<float>({{2, 1}}, {1, 2}),
                        make_with<float>({{2, 2}}, {3, 4, 5, 6})};
  aclTensorList* list = aclCreateTensorList(parts, 2);
  void* out = device_memory(24);
  const auto cat = [&](int64_t axis, const TensorSpec& target) {
    return [&, axis, target](uint64_t* size, aclOpExecutor** executor) {
      return aclnnCatGetWorkspaceSize(list, axis, make_at(target, out), size, executor);
    };
  };
  ASSERT_EQ(complete(cat(-1, {{2, 3}}), aclnnCat), 0) << message();
  EXPECT_THAT(read<float>(out, 6), ElementsAre(1, 3, 4, 2, 5, 6));
  EXPECT_EQ(plan_only(cat(0, {{4, 1}})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("tensors: expected shape [2,1], got [2,2]"));
  EXPECT_EQ(plan_only(cat(2, {{2, 3}})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(cat(1, {{2, 4}})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(cat(1, {{2, 3}, ACL_INT32})), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(MovementTest, InplaceCopyConvertsNothing) {
  aclTensor* target =
      make_with<float>({{2, 2}, ACL_FLOAT, ACL_FORMAT_ND, {3, 1}, {6}}, std::vector<float>(6, 9));
  void* memory = last_memory();
  aclTensor* source = make_with<float>({{2}}, {1, 2});
  const auto copy = [&](aclTensor* self, aclTensor* src) {
    return [=](uint64_t* size, aclOpExecutor** executor) {
      return aclnnInplaceCopyGetWorkspaceSize(self, src, size, executor);
    };
  };
  ASSERT_EQ(complete(copy(target, source), aclnnInplaceCopy), 0) << message();
  EXPECT_THAT(read<float>(memory, 6), ElementsAre(1, 2, 9, 1, 2, 9));
  EXPECT_EQ(plan_only(copy(target, make("bf16", {{2}, ACL_BF16}))), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("src: expected dtype FLOAT, got BF16"));
  EXPECT_EQ(plan_only(copy(target, make("long", {{3}}))), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(copy(make("short", {{2}}), make("more", {{2, 2}}))), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(copy(nullptr, source)), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(plan_only(copy(target, nullptr)), ACLNN_ERR_PARAM_NULLPTR);
}

TEST_F(MovementTest, ConstantPadNd) {
  aclTensor* x = make_with<uint16_t>({{1, 2}, ACL_BF16}, {0x3f80, 0x4000});
  void* out = device_memory(16);
  const auto pad = [&](const Dims& pads, const aclScalar* value, const TensorSpec& target) {
    return [&, pads, value, target](uint64_t* size, aclOpExecutor** executor) {
      return aclnnConstantPadNdGetWorkspaceSize(x, ints(pads), value, make_at(target, out), size,
                                                executor);
    };
  };
  ASSERT_EQ(complete(pad({1, 1, 0, 1}, scalar(0.5f), {{2, 4}, ACL_BF16}), aclnnConstantPadNd), 0)
      << message();
  EXPECT_THAT(read<uint16_t>(out, 8),
              ElementsAre(0x3f00, 0x3f80, 0x4000, 0x3f00, 0x3f00, 0x3f00, 0x3f00, 0x3f00));
  EXPECT_EQ(plan_only(pad({1}, scalar(0.5f), {{1, 3}, ACL_BF16})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(pad({1, -1}, scalar(0.5f), {{1, 2}, ACL_BF16})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(pad({1, 1}, scalar(0.5f), {{1, 3}, ACL_BF16})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(pad({1, 0}, scalar(0.5f), {{1, 3}, ACL_FLOAT})), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan_only(pad({1, 0}, nullptr, {{1, 3}, ACL_BF16})), ACLNN_ERR_PARAM_NULLPTR);
}

}  // namespace
}  // namespace ascend_emulator

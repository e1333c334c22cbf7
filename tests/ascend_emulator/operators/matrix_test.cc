// Matrix products of one type through the C interface.
#include "ascend_emulator/operators/operator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MatmulTest : public OperatorTest {
 protected:
  Specs base_{{"self", {{4, 32}, ACL_BF16}},
              {"mat2", {{32, 16}, ACL_BF16, ACL_FORMAT_ND, {1, 32}, {16, 32}}},
              {"out", {{4, 16}, ACL_BF16}}};
  int8_t cube_ = 0;

  aclnnStatus plan(decltype(aclnnMatmulGetWorkspaceSize)* function, const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return function(make("self", s.at("self")), make("mat2", s.at("mat2")),
                      make("out", s.at("out")), cube_, size, executor);
    });
  }
};

TEST_F(MatmulTest, EachArgumentIsChecked) {
  const std::vector<WrongArgument> cases{
      {"self null", {{"self", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "self"},
      {"mat2 null", {{"mat2", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "mat2"},
      {"out null", {{"out", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "out"},
      {"int8", {{"self", {{4, 32}, ACL_INT8}}}, ACLNN_ERR_PARAM_INVALID, "self"},
      {"mixed", {{"mat2", {{32, 16}, ACL_FLOAT16}}}, ACLNN_ERR_PARAM_INVALID, "mat2"},
      {"out fp32", {{"out", {{4, 16}}}}, ACLNN_ERR_PARAM_INVALID, "out"},
      {"K", {{"mat2", {{16, 32}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "mat2: expected 32 rows"},
      {"out shape", {{"out", {{16, 4}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out"},
      {"1-D", {{"self", {{32}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "rank"},
      {"empty",
       {{"self", {{0, 32}, ACL_BF16, ACL_FORMAT_ND, {}, {32}}}},
       ACLNN_ERR_PARAM_INVALID,
       "self"},
      {"mat2 NZ",
       {{"mat2", {{32, 16}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {}, {1, 2, 16, 16}}}},
       ACLNN_ERR_PARAM_INVALID,
       "mat2"}};
  expect_refused("aclnnMatmul", base_, cases,
                 [&](const Specs& s) { return plan(aclnnMatmulGetWorkspaceSize, s); });
  expect_refused("aclnnMm", base_, cases,
                 [&](const Specs& s) { return plan(aclnnMmGetWorkspaceSize, s); });
}

TEST_F(MatmulTest, RanksOfTheVariants) {
  Specs batch{{"self", {{2, 4, 8}, ACL_BF16}},
              {"mat2", {{2, 8, 3}, ACL_BF16}},
              {"out", {{2, 4, 3}, ACL_BF16}}};
  EXPECT_EQ(plan(aclnnMatmulGetWorkspaceSize, batch), 0) << message();
  EXPECT_EQ(plan(aclnnBatchMatMulGetWorkspaceSize, batch), 0) << message();
  EXPECT_EQ(plan(aclnnMmGetWorkspaceSize, batch), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan(aclnnBatchMatMulGetWorkspaceSize, base_), ACLNN_ERR_PARAM_INVALID);
  batch["mat2"].shape[0] = 3;
  EXPECT_EQ(plan(aclnnMatmulGetWorkspaceSize, batch), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(MatmulTest, CubeMathTypes) {
  for (const auto& [dtype, most] :
       {std::pair{ACL_BF16, 1}, std::pair{ACL_FLOAT16, 3}, std::pair{ACL_FLOAT, 0}}) {
    for (auto& [name, spec] : base_) spec.dtype = dtype;
    for (cube_ = -1; cube_ <= 4; ++cube_) {
      const bool valid = cube_ >= 0 && cube_ <= most;
      EXPECT_EQ(plan(aclnnMatmulGetWorkspaceSize, base_), valid ? 0 : ACLNN_ERR_PARAM_INVALID)
          << dtype_name(dtype) << ' ' << static_cast<int>(cube_);
    }
  }
  EXPECT_THAT(message(), HasSubstr("cubeMathType"));
}

TEST_F(MatmulTest, TransposedWeight) {
  aclTensor* x = make_with<float>({{1, 2}}, {1, 2});
  aclTensor* w =
      make_with<float>({{2, 3}, ACL_FLOAT, ACL_FORMAT_ND, {1, 2}, {3, 2}}, {1, 10, 2, 20, 3, 30});
  void* out = device_memory(12);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  const aclnnStatus status =
                      aclnnMatmulGetWorkspaceSize(x, w, make_at({{1, 3}}, out), 0, size, executor);
                  EXPECT_GT(*size, 0u);
                  return status;
                },
                aclnnMatmul),
            0)
      << message();
  EXPECT_THAT(read<float>(out, 3), ElementsAre(21, 42, 63));
}

TEST_F(MatmulTest, Addmm) {
  const auto plan = [&](const TensorSpec& self, const aclScalar* beta, const aclScalar* alpha) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnAddmmGetWorkspaceSize(make("bias", self), make("self", base_["self"]),
                                        make("mat2", base_["mat2"]), beta, alpha,
                                        make("out", base_["out"]), 0, size, executor);
    });
  };
  const aclScalar* one = scalar(1.0f);
  EXPECT_EQ(plan({{16}, ACL_BF16}, one, one), 0) << message();
  EXPECT_EQ(plan({{16}, ACL_BF16}, nullptr, one), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_THAT(message(), HasSubstr("beta"));
  EXPECT_EQ(plan({{16}, ACL_BF16}, one, nullptr), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_EQ(plan({{16}, ACL_FLOAT}, one, one), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan({{4}, ACL_BF16}, one, one), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan({{2, 4, 16}, ACL_BF16}, one, one), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(MatmulTest, WeightNzIsChecked) {
  Specs base = base_;
  base["mat2"] = {{32, 16}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {}, {1, 2, 16, 16}};
  expect_refused(
      "aclnnMatmulWeightNz", base,
      {{"mat2 ND", {{"mat2", base_["mat2"]}}, ACLNN_ERR_PARAM_INVALID, "mat2: expected format"},
       {"fp32", {{"self", {{4, 32}}}}, ACLNN_ERR_PARAM_INVALID, "self"},
       {"storage",
        {{"mat2", {{32, 16}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {}, {2, 1, 16, 16}}}},
        ACLNN_ERR_PARAM_INVALID,
        "mat2: expected storage [1,2,16,16]"},
       {"strides",
        {{"mat2", {{32, 16}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {1, 16}, {1, 2, 16, 16}}}},
        ACLNN_ERR_PARAM_INVALID,
        "mat2: expected the strides"},
       {"N = 1",
        {{"mat2", {{32, 1}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {}, {1, 2, 16, 16}}},
         {"out", {{4, 1}, ACL_BF16}}},
        ACLNN_ERR_PARAM_INVALID,
        "above 1"}},
      [&](const Specs& s) { return plan(aclnnMatmulWeightNzGetWorkspaceSize, s); });
  base["mat2"] = {{32, 16}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {1, 32}, {2, 1, 16, 16}};
  EXPECT_EQ(plan(aclnnMatmulWeightNzGetWorkspaceSize, base), 0) << message();
}

}  // namespace
}  // namespace ascend_emulator

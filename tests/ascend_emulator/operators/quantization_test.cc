// Single-level MX: DynamicMxQuant and its products through the C interface.
#include "ascend_emulator/operators/operator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr aclnnStatus kTiling = ACLNN_ERR_INNER_TILING_ERROR;

class MxQuantTest : public OperatorTest {
 protected:
  Specs base_{{"x", {{4, 96}, ACL_BF16}},
              {"y", {{4, 96}, ACL_FLOAT8_E4M3FN}},
              {"scale", {{4, 2, 2}, ACL_FLOAT8_E8M0}}};
  std::string mode_ = "rint";
  int64_t axis_ = -1, dst_type_ = ACL_FLOAT8_E4M3FN, block_ = 32, alg_ = 0;

  aclnnStatus plan(const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnDynamicMxQuantGetWorkspaceSize(make("x", s.at("x")), axis_, mode_.data(),
                                                 dst_type_, block_, alg_, make("y", s.at("y")),
                                                 make("scale", s.at("scale")), size, executor);
    });
  }
  aclnnStatus plan_v3(double dst_type_max, double low_bound) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnDynamicMxQuantV3GetWorkspaceSize(
          make("x", base_["x"]), axis_, nullptr, dst_type_, block_, alg_, dst_type_max, low_bound,
          make("y", base_["y"]), make("scale", base_["scale"]), size, executor);
    });
  }
};

TEST_F(MxQuantTest, EachArgumentIsChecked) {
  expect_refused(
      "aclnnDynamicMxQuant", base_,
      {{"x null", {{"x", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "x"},
       {"y null", {{"y", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "yOut"},
       {"scale null", {{"scale", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "mxscaleOut"},
       {"x int8", {{"x", {{4, 96}, ACL_INT8}}}, ACLNN_ERR_PARAM_INVALID, "x: expected dtype"},
       {"y bf16", {{"y", {{4, 96}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "yOut"},
       {"scale uint8", {{"scale", {{4, 2, 2}, ACL_UINT8}}}, ACLNN_ERR_PARAM_INVALID, "mxscaleOut"},
       {"y of another type than dstType", {{"y", {{4, 96}, ACL_FLOAT8_E5M2}}}, kTiling, "yOut"},
       {"y shape", {{"y", {{4, 64}, ACL_FLOAT8_E4M3FN}}}, kTiling, "yOut"},
       {"scale shape", {{"scale", {{4, 3}, ACL_FLOAT8_E8M0}}}, kTiling, "mxscaleOut"},
       {"y strided",
        {{"y", {{4, 96}, ACL_FLOAT8_E4M3FN, ACL_FORMAT_ND, {192, 2}, {768}}}},
        kTiling,
        "yOut"},
       {"x NZ",
        {{"x", {{4, 96}, ACL_BF16, ACL_FORMAT_FRACTAL_NZ, {}, {6, 1, 16, 16}}}},
        ACLNN_ERR_PARAM_INVALID,
        "format"}},
      [&](const Specs& specs) { return plan(specs); });
}

TEST_F(MxQuantTest, AttributesAreChecked) {
  const auto refused = [&](auto& attribute, auto value, const char* text) {
    const auto before = attribute;
    attribute = value;
    EXPECT_EQ(plan(base_), kTiling) << text;
    EXPECT_THAT(message(), HasSubstr(text));
    attribute = before;
  };
  refused(axis_, 0, "axis");
  refused(axis_, -3, "axis");
  refused(dst_type_, int64_t{41}, "dstType");
  refused(block_, 16, "blocksize");
  refused(block_, 0, "blocksize");
  refused(block_, 2048, "blocksize");
  refused(alg_, 2, "scaleAlg");
  refused(mode_, "floor", "roundMode");
  EXPECT_EQ(plan_v3(0, 0), 0) << message();
  EXPECT_EQ(plan_v3(6, 0), kTiling);
  EXPECT_EQ(plan_v3(0, 0.5), kTiling);
  alg_ = 1;
  EXPECT_EQ(plan_v3(0, 0.5), 0) << message();
  EXPECT_EQ(plan_v3(0, -0.5), kTiling);
}

TEST_F(MxQuantTest, Fp4NeedsAnEvenLengthAndFp32WholeBlocks) {
  Specs s{{"x", {{4, 33}, ACL_BF16}},
          {"y", {{4, 33}, ACL_FLOAT4_E2M1}},
          {"scale", {{4, 1, 2}, ACL_FLOAT8_E8M0}}};
  dst_type_ = ACL_FLOAT4_E2M1;
  EXPECT_EQ(plan(s), kTiling);
  s["x"].shape[1] = s["y"].shape[1] = 34;
  EXPECT_EQ(plan(s), 0) << message();
  alg_ = 1;
  EXPECT_EQ(plan(s), kTiling);
  alg_ = 0;
  s["x"] = {{4, 30}, ACL_FLOAT};
  s["y"].shape[1] = 30;
  EXPECT_EQ(plan(s), kTiling);
}

TEST_F(MxQuantTest, PublicVectorOfBothRules) {
  for (const int64_t alg : {0, 1}) {
    aclTensor* x =
        make_with<uint16_t>({{1, 4}, ACL_BF16}, std::vector<uint16_t>{0, 16640, 17024, 17408});
    void *y = device_memory(4), *scale = device_memory(2);
    ASSERT_EQ(complete(
                  [&](uint64_t* size, aclOpExecutor** executor) {
                    return aclnnDynamicMxQuantV3GetWorkspaceSize(
                        x, -1, mode_.data(), 36, 32, alg, 0.0, alg == 1 ? 0.5 : 0.0,
                        make_at({{1, 4}, ACL_FLOAT8_E4M3FN}, y),
                        make_at({{1, 1, 2}, ACL_FLOAT8_E8M0}, scale), size, executor);
                  },
                  aclnnDynamicMxQuantV3),
              0)
        << message();
    EXPECT_THAT(read<uint8_t>(y, 4), ElementsAre(0, 72, 96, 120));
    EXPECT_THAT(read<uint8_t>(scale, 2), ElementsAre(128, 0));
  }
}

TEST_F(MxQuantTest, OtherChipsHaveNoSuchOperator) {
  set("soc", "Ascend910B2");
  EXPECT_EQ(plan(base_), ACLNN_ERR_RUNTIME_ERROR);
}

class QuantMatmulTest : public OperatorTest {
 protected:
  static Specs specs(int64_t m, int64_t k, int64_t n) {
    const int64_t pairs = (k + 63) / 64;
    return {{"x1", {{m, k}, ACL_FLOAT8_E4M3FN}},
            {"x2", {{n, k}, ACL_FLOAT8_E4M3FN}},
            {"x1Scale", {{m, pairs, 2}, ACL_FLOAT8_E8M0}},
            {"x2Scale", {{n, pairs, 2}, ACL_FLOAT8_E8M0}},
            {"other", null_tensor()},
            {"bias", {{n}}},
            {"out", {{m, n}, ACL_BF16}}};
  }
  static Specs nz_specs(int64_t m, int64_t k, int64_t n) {
    Specs s = specs(m, k, n);
    s["x2"].format = ACL_FORMAT_FRACTAL_NZ;
    s["x2"].storage = {(k + 31) / 32, (n + 15) / 16, 16, 32};
    return s;
  }
  bool transpose_x1_ = false, transpose_x2_ = true;
  int64_t group_ = 4295032864;

  aclnnStatus plan(const Specs& s) { return plan_with(aclnnQuantMatmulV5GetWorkspaceSize, s); }
  aclnnStatus plan_nz(const Specs& s) {
    return plan_with(aclnnQuantMatmulWeightNzGetWorkspaceSize, s);
  }

 private:
  aclnnStatus plan_with(decltype(aclnnQuantMatmulV5GetWorkspaceSize)* function, const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return function(make("x1", s.at("x1")), make("x2", s.at("x2")),
                      make("x1Scale", s.at("x1Scale")), make("x2Scale", s.at("x2Scale")),
                      make("other", s.at("other")), nullptr, nullptr, nullptr,
                      make("bias", s.at("bias")), transpose_x1_, transpose_x2_, group_,
                      make("out", s.at("out")), size, executor);
    });
  }
};

TEST_F(QuantMatmulTest, EachArgumentIsChecked) {
  const int64_t m = 4, k = 128, n = 48;
  const aclFormat nd = ACL_FORMAT_ND;
  expect_refused(
      "aclnnQuantMatmulV5", specs(m, k, n),
      {{"x1 null", {{"x1", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "x1"},
       {"x2Scale null", {{"x2Scale", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "x2Scale"},
       {"out null", {{"out", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "out"},
       {"yScale given", {{"other", {{n}}}}, ACLNN_ERR_PARAM_INVALID, "yScale"},
       {"x2 NZ",
        {{"x2", nz_specs(m, k, n)["x2"]}},
        ACLNN_ERR_PARAM_INVALID,
        "x2: expected a format"},
       {"x1 int8", {{"x1", {{m, k}, ACL_INT8}}}, ACLNN_ERR_PARAM_INVALID, "x1: expected dtype"},
       {"x1 fp4 with x2 fp8", {{"x1", {{m, k}, ACL_FLOAT4_E2M1}}}, ACLNN_ERR_PARAM_INVALID, "x2"},
       {"x1Scale fp32", {{"x1Scale", {{m, 2, 2}}}}, ACLNN_ERR_PARAM_INVALID, "x1Scale"},
       {"bias bf16", {{"bias", {{n}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"bias 2-D", {{"bias", {{1, n}}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"out int32", {{"out", {{m, n}, ACL_INT32}}}, ACLNN_ERR_PARAM_INVALID, "out"},
       {"x1 3-D", {{"x1", {{1, m, k}, ACL_FLOAT8_E4M3FN}}}, ACLNN_ERR_PARAM_INVALID, "x1"},
       {"x1 strided",
        {{"x1", {{m, k}, ACL_FLOAT8_E4M3FN, nd, {2 * k, 2}, {2 * m * k}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1"},
       {"K mismatch", {{"x2", {{n, k - 64}, ACL_FLOAT8_E4M3FN}}}, ACLNN_ERR_PARAM_INVALID, "x2"},
       {"x1Scale without pairs",
        {{"x1Scale", {{m, 4}, ACL_FLOAT8_E8M0}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Scale"},
       {"out shape", {{"out", {{n, m}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out"}},
      [&](const Specs& s) { return plan(s); });
  group_ = 32;
  EXPECT_EQ(plan(specs(m, k, n)), 0) << message();
  group_ = 64;
  EXPECT_EQ(plan(specs(m, k, n)), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("groupSize"));
  group_ = 32;
  transpose_x1_ = true;
  EXPECT_EQ(plan(specs(m, k, n)), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(QuantMatmulTest, Fp4NeedsAnEvenDepthAboveTwo) {
  const auto of = [](int64_t k) {
    Specs s = specs(4, k, 16);
    s["x1"].dtype = s["x2"].dtype = ACL_FLOAT4_E2M1;
    return s;
  };
  EXPECT_EQ(plan(of(4)), 0) << message();
  EXPECT_EQ(plan(of(2)), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan(of(65)), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(QuantMatmulTest, TransposedViewsTransposeAlike) {
  const int64_t m = 4, k = 128, n = 48;
  transpose_x2_ = false;
  Specs s = specs(m, k, n);
  s["x2"] = {{k, n}, ACL_FLOAT8_E4M3FN, ACL_FORMAT_ND, {1, k}, {n, k}};
  s["x2Scale"] = {{2, n, 2}, ACL_FLOAT8_E8M0, ACL_FORMAT_ND, {2, 4, 1}, {n, 2, 2}};
  EXPECT_EQ(plan(s), 0) << message();
  s["x2Scale"] = {{2, n, 2}, ACL_FLOAT8_E8M0};
  EXPECT_EQ(plan(s), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("x2Scale"));
  s["x2"] = {{k, n}, ACL_FLOAT8_E4M3FN};
  EXPECT_EQ(plan(s), 0) << message();
}

TEST_F(QuantMatmulTest, WeightNzIsChecked) {
  const int64_t m = 4, k = 128, n = 48;
  expect_refused("aclnnQuantMatmulWeightNz", nz_specs(m, k, n),
                 {{"x2 ND",
                   {{"x2", {{n, k}, ACL_FLOAT8_E4M3FN}}},
                   ACLNN_ERR_PARAM_INVALID,
                   "x2: expected format"},
                  {"x2 E5M2",
                   {{"x2", {{n, k}, ACL_FLOAT8_E5M2, ACL_FORMAT_FRACTAL_NZ, {}, {4, 3, 16, 32}}}},
                   ACLNN_ERR_PARAM_INVALID,
                   "x2"},
                  {"x2 storage",
                   {{"x2", {{n, k}, ACL_FLOAT8_E4M3FN, ACL_FORMAT_FRACTAL_NZ, {}, {8, 3, 16, 16}}}},
                   ACLNN_ERR_PARAM_INVALID,
                   "x2: expected storage [4,3,16,32]"},
                  {"bias shape", {{"bias", {{n, 1}}}}, ACLNN_ERR_PARAM_INVALID, "bias"}},
                 [&](const Specs& s) { return plan_nz(s); });
  EXPECT_EQ(plan_nz(nz_specs(m, k, 1)), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("N above 1"));
  transpose_x2_ = false;
  EXPECT_EQ(plan_nz(nz_specs(m, k, n)), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(QuantMatmulTest, OnesGiveTheDepth) {
  const int64_t m = 2, k = 96, n = 16;
  Specs s = specs(m, k, n);
  s["out"].dtype = ACL_FLOAT;
  aclTensor* x1 = make_with<uint8_t>(s["x1"], std::vector<uint8_t>(m * k, 0x38));
  aclTensor* x2 = make_with<uint8_t>(s["x2"], std::vector<uint8_t>(n * k, 0x38));
  aclTensor* x1_scale = make_with<uint8_t>(s["x1Scale"], std::vector<uint8_t>(m * 4, 128));
  aclTensor* x2_scale = make_with<uint8_t>(s["x2Scale"], std::vector<uint8_t>(n * 4, 127));
  aclTensor* bias = make_with<float>(s["bias"], std::vector<float>(n, 0.5f));
  void* out = device_memory(m * n * 4);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnQuantMatmulV5GetWorkspaceSize(
                      x1, x2, x1_scale, x2_scale, nullptr, nullptr, nullptr, nullptr, bias, false,
                      true, group_, make_at(s["out"], out), size, executor);
                },
                aclnnQuantMatmulV5),
            0)
      << message();
  EXPECT_THAT(read<float>(out, m * n), testing::Each(192.5f));
}

// The weight goes through FormatCast, as fp8 and as fp4; K and N leave pads.
TEST_F(QuantMatmulTest, WeightNzGivesWhatRowsGive) {
  const int64_t m = 2, k = 80, n = 19;
  for (const aclDataType dtype : {ACL_FLOAT8_E4M3FN, ACL_FLOAT4_E2M1}) {
    Specs s = specs(m, k, n);
    s["out"].dtype = ACL_FLOAT;
    s["x1"].dtype = s["x2"].dtype = dtype;
    const int64_t c0 = dtype == ACL_FLOAT4_E2M1 ? 64 : 32, per_byte = c0 / 32;
    std::vector<uint8_t> left(m * k / per_byte), right(n * k / per_byte);
    for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<uint8_t>(i * 37 % 0x7f);
    for (size_t i = 0; i < right.size(); ++i) right[i] = static_cast<uint8_t>(i * 53 % 0x7f);
    aclTensor* x1 = make_with<uint8_t>(s["x1"], left);
    aclTensor* x2 = make_with<uint8_t>(s["x2"], right);
    aclTensor* x1_scale = make_with<uint8_t>(s["x1Scale"], std::vector<uint8_t>(m * 4, 126));
    aclTensor* x2_scale = make_with<uint8_t>(s["x2Scale"], std::vector<uint8_t>(n * 4, 128));
    const TensorSpec nz{{n, k}, dtype, ACL_FORMAT_FRACTAL_NZ, {}, {(k + c0 - 1) / c0, 2, 16, c0}};
    void* fractals = device_memory(static_cast<size_t>(element_count(nz.storage) / per_byte));
    ASSERT_EQ(complete(
                  [&](uint64_t* size, aclOpExecutor** executor) {
                    return aclnnNpuFormatCastGetWorkspaceSize(x2, make_at(nz, fractals), size,
                                                              executor);
                  },
                  aclnnNpuFormatCast),
              0)
        << message();
    const auto multiply = [&](auto* plan_of, Launch launch, aclTensor* weight) {
      void* out = device_memory(m * n * 4);
      EXPECT_EQ(complete(
                    [&](uint64_t* size, aclOpExecutor** executor) {
                      return plan_of(x1, weight, x1_scale, x2_scale, nullptr, nullptr, nullptr,
                                     nullptr, nullptr, false, true, group_, make_at(s["out"], out),
                                     size, executor);
                    },
                    launch),
                0)
          << message();
      return read<float>(out, m * n);
    };
    EXPECT_EQ(multiply(aclnnQuantMatmulV5GetWorkspaceSize, aclnnQuantMatmulV5, x2),
              multiply(aclnnQuantMatmulWeightNzGetWorkspaceSize, aclnnQuantMatmulWeightNz,
                       make_at(nz, fractals)));
  }
}

TEST_F(QuantMatmulTest, Fp8WithFp4TakesABiasOfTheOutputsType) {
  Specs s = specs(4, 64, 16);
  s["x2"].dtype = ACL_FLOAT4_E2M1;
  s["bias"] = {{1, 16}, ACL_BF16};
  EXPECT_EQ(plan(s), 0) << message();
  s["bias"] = {{16}, ACL_FLOAT};
  EXPECT_EQ(plan(s), ACLNN_ERR_PARAM_INVALID);
  Specs odd = specs(4, 68, 16);
  odd["x2"].dtype = ACL_FLOAT4_E2M1;
  odd["bias"] = null_tensor();
  EXPECT_EQ(plan(odd), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("multiple of 8"));
}

// Generated operators compare the workspace's size; hand-written ones fail as kernels do.
TEST_F(MxQuantTest, WorkspaceBelowTheRequiredSize) {
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  ASSERT_EQ(aclnnDynamicMxQuantGetWorkspaceSize(make("x", base_["x"]), -1, mode_.data(), 36, 32, 0,
                                                make("y", base_["y"]),
                                                make("scale", base_["scale"]), &size, &executor),
            0);
  ASSERT_GT(size, 0u);
  EXPECT_EQ(aclnnDynamicMxQuant(device_memory(size), size - 1, executor, nullptr),
            ACLNN_ERR_PARAM_INVALID);
}

}  // namespace
}  // namespace ascend_emulator

// The dual-level pair through the C interface: the public vectors, and the table of arguments in
// which each is wrong alone.
#include <bit>

#include "ascend_emulator/arithmetic/element.h"
#include "ascend_emulator/operators/operator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;

class DualLevelQuantTest : public OperatorTest {
 protected:
  Specs base_{{"x", {{128, 512}, ACL_BF16}},
              {"smooth", null_tensor()},
              {"y", {{128, 512}, ACL_FLOAT4_E2M1}},
              {"level0", {{128, 1}}},
              {"level1", {{128, 8, 2}, ACL_FLOAT8_E8M0}}};
  std::string mode_ = "rint";
  int64_t level0_block_ = 512, level1_block_ = 32;

  aclnnStatus plan(const Specs& s, bool no_mode = false) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnDynamicDualLevelMxQuantGetWorkspaceSize(
          make("x", s.at("x")), make("smooth", s.at("smooth")), no_mode ? nullptr : mode_.data(),
          level0_block_, level1_block_, make("y", s.at("y")), make("level0", s.at("level0")),
          make("level1", s.at("level1")), size, executor);
    });
  }
};

TEST_F(DualLevelQuantTest, EachArgumentIsChecked) {
  constexpr aclnnStatus kTiling = ACLNN_ERR_INNER_TILING_ERROR;
  expect_refused(
      "aclnnDynamicDualLevelMxQuant", base_,
      {{"x null", {{"x", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "x"},
       {"y null", {{"y", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "yOut"},
       {"level0 null", {{"level0", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "level0Scale"},
       {"level1 null", {{"level1", null_tensor()}}, ACLNN_ERR_PARAM_NULLPTR, "level1Scale"},
       {"x fp32", {{"x", {{128, 512}, ACL_FLOAT}}}, ACLNN_ERR_PARAM_INVALID, "x: expected dtype"},
       {"y E5M2", {{"y", {{128, 512}, ACL_FLOAT8_E5M2}}}, ACLNN_ERR_PARAM_INVALID, "yOut"},
       {"level0 bf16", {{"level0", {{128, 1}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "level0Scale"},
       {"level1 uint8",
        {{"level1", {{128, 8, 2}, ACL_UINT8}}},
        ACLNN_ERR_PARAM_INVALID,
        "level1Scale"},
       {"smooth of another type",
        {{"smooth", {{512}, ACL_FLOAT16}}},
        ACLNN_ERR_PARAM_INVALID,
        "smooth"},
       {"x NCHW",
        {{"x", {{128, 512}, ACL_BF16, ACL_FORMAT_NCHW}}},
        ACLNN_ERR_PARAM_INVALID,
        "format"},
       {"level0 [128, 2]", {{"level0", {{128, 2}}}}, kTiling, "level0Scale"},
       {"level1 [128, 16, 2]",
        {{"level1", {{128, 16, 2}, ACL_FLOAT8_E8M0}}},
        kTiling,
        "level1Scale"},
       {"level1 without pairs", {{"level1", {{128, 16}, ACL_FLOAT8_E8M0}}}, kTiling, "level1Scale"},
       {"y of another shape", {{"y", {{128, 256}, ACL_FLOAT4_E2M1}}}, kTiling, "yOut"},
       {"smooth too short", {{"smooth", {{256}, ACL_BF16}}}, kTiling, "smooth"},
       {"smooth 2-D", {{"smooth", {{1, 512}, ACL_BF16}}}, kTiling, "smooth"},
       {"smooth strided",
        {{"smooth", {{512}, ACL_BF16, ACL_FORMAT_ND, {2}, {1024}}}},
        kTiling,
        "smooth"},
       {"K odd",
        {{"x", {{128, 511}, ACL_BF16}}, {"y", {{128, 511}, ACL_FLOAT4_E2M1}}},
        kTiling,
        "even"},
       {"x 8-D", {{"x", {{1, 1, 1, 1, 1, 1, 128, 512}, ACL_BF16}}}, kTiling, "rank"},
       {"x empty", {{"x", {{0, 512}, ACL_BF16, ACL_FORMAT_ND, {}, {512}}}}, kTiling, "x"},
       {"level0 strided",
        {{"level0", {{128, 1}, ACL_FLOAT, ACL_FORMAT_ND, {2, 1}, {256}}}},
        kTiling,
        "level0Scale"}},
      [&](const Specs& specs) { return plan(specs); });
}

TEST_F(DualLevelQuantTest, AttributesAreChecked) {
  for (const std::string mode : {"rint", "round", "floor"}) {
    mode_ = mode;
    EXPECT_EQ(plan(base_), 0) << message();
  }
  mode_ = "trunc";
  EXPECT_EQ(plan(base_), ACLNN_ERR_INNER_TILING_ERROR);
  EXPECT_THAT(message(), HasSubstr("roundMode: expected rint, round or floor, got trunc"));
  mode_ = "rint";
  EXPECT_EQ(plan(base_, true), ACLNN_ERR_PARAM_NULLPTR);
  level0_block_ = 256;
  EXPECT_EQ(plan(base_), ACLNN_ERR_INNER_TILING_ERROR);
  level0_block_ = 512;
  level1_block_ = 16;
  EXPECT_EQ(plan(base_), ACLNN_ERR_INNER_TILING_ERROR);
}

TEST_F(DualLevelQuantTest, TypesComeBeforeShapes) {
  Specs specs = base_;
  specs["level0"] = {{128, 2}, ACL_BF16};
  EXPECT_EQ(plan(specs), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(DualLevelQuantTest, PublicVector) {
  aclTensor* x = make_with<uint16_t>({{1, 512}, ACL_BF16}, std::vector<uint16_t>(512, 0x4100));
  void *y = device_memory(256), *level0 = device_memory(4), *level1 = device_memory(16);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  const aclnnStatus status = aclnnDynamicDualLevelMxQuantGetWorkspaceSize(
                      x, nullptr, mode_.data(), 512, 32, make_at({{1, 512}, ACL_FLOAT4_E2M1}, y),
                      make_at({{1, 1}}, level0), make_at({{1, 8, 2}, ACL_FLOAT8_E8M0}, level1),
                      size, executor);
                  EXPECT_GT(*size, 0u);
                  return status;
                },
                aclnnDynamicDualLevelMxQuant),
            0)
      << message();
  EXPECT_THAT(read<uint8_t>(y, 256), testing::Each(0x77));
  EXPECT_THAT(read<float>(level0, 1), testing::ElementsAre(testing::FloatEq(1.333333f)));
  EXPECT_THAT(read<uint8_t>(level1, 16), testing::Each(127));
}

TEST_F(DualLevelQuantTest, StridedRowsAreRead) {
  // Rows of 64 inside rows of 128.
  std::vector<uint16_t> values(2 * 128, 0x4100);
  for (int i = 0; i < 64; ++i) values[128 + i] = 0x4080;
  aclTensor* x = make_with<uint16_t>({{2, 64}, ACL_BF16, ACL_FORMAT_ND, {128, 1}, {256}}, values);
  void *y = device_memory(64), *level0 = device_memory(8), *level1 = device_memory(4);
  ASSERT_EQ(complete(
                [&](uint64_t* size, aclOpExecutor** executor) {
                  return aclnnDynamicDualLevelMxQuantGetWorkspaceSize(
                      x, nullptr, mode_.data(), 512, 32, make_at({{2, 64}, ACL_FLOAT4_E2M1}, y),
                      make_at({{2, 1}}, level0), make_at({{2, 1, 2}, ACL_FLOAT8_E8M0}, level1),
                      size, executor);
                },
                aclnnDynamicDualLevelMxQuant),
            0)
      << message();
  const auto scales = read<float>(level0, 2);
  EXPECT_EQ(scales[0], 2 * scales[1]);
}

class DualLevelMatmulTest : public OperatorTest {
 protected:
  static TensorSpec weight(int64_t n, int64_t k) {
    return {
        {n, k / 2}, ACL_INT8, ACL_FORMAT_FRACTAL_NZ, {}, {(k + 63) / 64, (n + 15) / 16, 16, 32}};
  }
  static Specs specs(int64_t m, int64_t k, int64_t n) {
    const int64_t groups = (k + 511) / 512, pairs = (k + 63) / 64;
    return {{"x1", {{m, k}, ACL_FLOAT4_E2M1}},
            {"x2", weight(n, k)},
            {"x1Level0", {{m, groups}}},
            {"x2Level0", {{groups, n}}},
            {"x1Level1", {{m, pairs, 2}, ACL_FLOAT8_E8M0}},
            {"x2Level1", {{n, pairs, 2}, ACL_FLOAT8_E8M0}},
            {"bias", {{n}}},
            {"out", {{m, n}, ACL_BF16}}};
  }
  struct Attributes {
    bool transpose_x1 = false, transpose_x2 = true;
    int64_t level0 = 512, level1 = 32;
  };

  aclnnStatus plan(const Specs& s) { return plan(s, Attributes{}); }
  aclnnStatus plan(const Specs& s, const Attributes& attributes) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize(
          make("x1", s.at("x1")), make("x2", s.at("x2")), make("x1Level0", s.at("x1Level0")),
          make("x2Level0", s.at("x2Level0")), make("x1Level1", s.at("x1Level1")),
          make("x2Level1", s.at("x2Level1")), make("bias", s.at("bias")), attributes.transpose_x1,
          attributes.transpose_x2, attributes.level0, attributes.level1, make("out", s.at("out")),
          size, executor);
    });
  }

  // INT8 [n, bytes] cast to FRACTAL_NZ by the operator; returns the memory.
  void* cast_weight(int64_t n, int64_t k, const std::vector<int8_t>& packed) {
    aclTensor* source = make_with<int8_t>({{n, k / 2}, ACL_INT8}, packed);
    const TensorSpec target = weight(n, k);
    void* memory = device_memory(static_cast<size_t>(element_count(target.storage)));
    EXPECT_EQ(complete(
                  [&](uint64_t* size, aclOpExecutor** executor) {
                    return aclnnNpuFormatCastGetWorkspaceSize(source, make_at(target, memory), size,
                                                              executor);
                  },
                  aclnnNpuFormatCast),
              0)
        << message();
    return memory;
  }
};

TEST_F(DualLevelMatmulTest, EachArgumentIsChecked) {
  const int64_t m = 1, k = 7168, n = 1536, groups = 14, pairs = 112;
  const Specs base = specs(m, k, n);
  Specs without = base;
  without["bias"] = null_tensor();
  EXPECT_EQ(plan(without), 0) << message();
  const aclFormat nchw = ACL_FORMAT_NCHW, nd = ACL_FORMAT_ND;
  const TensorSpec fp4_weight{
      {n, k}, ACL_FLOAT4_E2M1, ACL_FORMAT_FRACTAL_NZ, {}, {pairs, n / 16, 16, 64}};
  expect_refused(
      "aclnnDualLevelQuantMatmulWeightNz", base,
      {{"x1 dtype", {{"x1", {{m, k}, ACL_INT8}}}, ACLNN_ERR_PARAM_INVALID, "x1: expected dtype"},
       {"x2 fp4", {{"x2", fp4_weight}}, ACLNN_ERR_PARAM_INVALID, "x2: expected dtype INT8"},
       {"x1Level0 dtype",
        {{"x1Level0", {{m, groups}, ACL_BF16}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Level0"},
       {"x2Level0 dtype",
        {{"x2Level0", {{groups, n}, ACL_BF16}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level0"},
       {"x1Level1 dtype",
        {{"x1Level1", {{m, pairs, 2}, ACL_UINT8}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Level1"},
       {"x2Level1 dtype",
        {{"x2Level1", {{n, pairs, 2}, ACL_UINT8}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level1"},
       {"bias dtype", {{"bias", {{n}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"out fp32", {{"out", {{m, n}, ACL_FLOAT}}}, ACLNN_ERR_PARAM_INVALID, "out"},
       {"x1 NCHW", {{"x1", {{m, k}, ACL_FLOAT4_E2M1, nchw}}}, ACLNN_ERR_PARAM_INVALID, "x1"},
       {"x1Level0 NCHW",
        {{"x1Level0", {{m, groups}, ACL_FLOAT, nchw}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Level0"},
       {"x2Level0 NCHW",
        {{"x2Level0", {{groups, n}, ACL_FLOAT, nchw}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level0"},
       {"x1Level1 NCHW",
        {{"x1Level1", {{m, pairs, 2}, ACL_FLOAT8_E8M0, nchw}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Level1"},
       {"x2Level1 NCHW",
        {{"x2Level1", {{n, pairs, 2}, ACL_FLOAT8_E8M0, nchw}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level1"},
       {"bias NCHW", {{"bias", {{n}, ACL_FLOAT, nchw}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"x2 ND",
        {{"x2", {{n, k / 2}, ACL_INT8}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2: expected format FRACTAL_NZ"},
       {"x1 1-D", {{"x1", {{k}, ACL_FLOAT4_E2M1}}}, ACLNN_ERR_PARAM_INVALID, "x1: expected a rank"},
       {"x2 3-D",
        {{"x2", {{1, n, k / 2}, ACL_INT8, ACL_FORMAT_FRACTAL_NZ, {}, {pairs, n / 16, 16, 32}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2: expected a rank"},
       {"out 1-D", {{"out", {{n}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out: expected a rank"},
       {"bias 2-D", {{"bias", {{1, n}}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"bias 3-D", {{"bias", {{1, 1, n}}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"bias [1000]", {{"bias", {{1000}}}}, ACLNN_ERR_PARAM_INVALID, "bias"},
       {"K odd", {{"x1", {{m, k - 1}, ACL_FLOAT4_E2M1}}}, ACLNN_ERR_PARAM_INVALID, "even K"},
       {"K mismatch", {{"x1", {{m, k - 64}, ACL_FLOAT4_E2M1}}}, ACLNN_ERR_PARAM_INVALID, "x2"},
       {"M = 0",
        {{"x1", {{0, k}, ACL_FLOAT4_E2M1, nd, {}, {k}}}, {"out", {{0, n}, ACL_BF16, nd, {}, {n}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1: expected dims of at least 1"},
       {"out M", {{"out", {{2, n}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out"},
       {"out N", {{"out", {{m, n - 16}, ACL_BF16}}}, ACLNN_ERR_PARAM_INVALID, "out"},
       {"out strided",
        {{"out", {{m, n}, ACL_BF16, nd, {n * 2, 2}, {n * 2}}}},
        ACLNN_ERR_PARAM_INVALID,
        "out"},
       {"x1 strided",
        {{"x1", {{m, k}, ACL_FLOAT4_E2M1, nd, {k * 2, 2}, {k * 2}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1: expected a contiguous"},
       {"x1Level0 strided",
        {{"x1Level0", {{m, groups}, ACL_FLOAT, nd, {groups * 2, 2}, {groups * 2}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Level0"},
       {"x2Level0 transposed",
        {{"x2Level0", {{groups, n}, ACL_FLOAT, nd, {1, groups}, {n, groups}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level0"},
       {"x1Level1 strided",
        {{"x1Level1", {{m, pairs, 2}, ACL_FLOAT8_E8M0, nd, {pairs * 4, 4, 2}, {pairs * 4}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x1Level1"},
       {"bias strided",
        {{"bias", {{n}, ACL_FLOAT, nd, {2}, {2 * n}}}},
        ACLNN_ERR_PARAM_INVALID,
        "bias"},
       {"x2Level0 not transposed",
        {{"x2Level0", {{n, groups}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level0"},
       {"x2Level1 of another K",
        {{"x2Level1", {{n, pairs - 1, 2}, ACL_FLOAT8_E8M0}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2Level1"},
       {"x2 storage not in fractals",
        {{"x2", {{n, k / 2}, ACL_INT8, ACL_FORMAT_FRACTAL_NZ, {}, {n, k / 2}}}},
        ACLNN_ERR_PARAM_INVALID,
        "x2: expected storage [112,96,16,32]"}},
      [&](const Specs& s) { return plan(s); });
  for (const char* name : {"x1", "x2", "x1Level0", "x2Level0", "x1Level1", "x2Level1", "out"}) {
    Specs missing = base;
    missing[name] = null_tensor();
    EXPECT_EQ(plan(missing), ACLNN_ERR_PARAM_NULLPTR) << name;
  }
}

TEST_F(DualLevelMatmulTest, AttributesAreChecked) {
  const Specs base = specs(1, 1024, 32);
  EXPECT_EQ(plan(base, {.transpose_x1 = true}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan(base, {.transpose_x2 = false}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan(base, {.level0 = 256}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(plan(base, {.level1 = 16}), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("expected 512 and 32, got 512 and 16"));
}

TEST_F(DualLevelMatmulTest, NullComesBeforeFormatAndFormatBeforeTypes) {
  Specs specs_of = specs(1, 1024, 32);
  specs_of["x2"] = {{32, 512}, ACL_INT8};
  specs_of["x1"] = {{1, 1024}, ACL_INT8};
  EXPECT_EQ(plan(specs_of), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("x2: expected format"));
  specs_of["out"] = null_tensor();
  EXPECT_EQ(plan(specs_of), ACLNN_ERR_PARAM_NULLPTR);
}

TEST_F(DualLevelMatmulTest, LevelOneScalesMayBeNcl) {
  Specs specs_of = specs(1, 1024, 32);
  specs_of["x1Level1"].format = ACL_FORMAT_NCL;
  specs_of["x2Level1"].format = ACL_FORMAT_NCL;
  EXPECT_EQ(plan(specs_of), 0) << message();
}

struct Ones {
  int64_t m = 256, k = 1024, n = 512;
};

TEST_F(DualLevelMatmulTest, PublicVectorOnAWeightOfFormatCast) {
  const Ones size;
  void* weight_memory = cast_weight(size.n, size.k, std::vector<int8_t>(size.n * size.k / 2, 0x22));
  Specs s = specs(size.m, size.k, size.n);
  s["out"].dtype = ACL_FLOAT16;
  aclTensor* x1 = make_with<uint8_t>(s["x1"], std::vector<uint8_t>(size.m * size.k / 2, 0x22));
  aclTensor* x1_level0 = make_with<float>(s["x1Level0"], std::vector<float>(size.m * 2, 1));
  aclTensor* x2_level0 = make_with<float>(s["x2Level0"], std::vector<float>(size.n * 2, 1));
  aclTensor* x1_level1 = make_with<uint8_t>(s["x1Level1"], std::vector<uint8_t>(size.m * 32, 127));
  aclTensor* x2_level1 = make_with<uint8_t>(s["x2Level1"], std::vector<uint8_t>(size.n * 32, 127));
  aclTensor* bias = make_with<float>(s["bias"], std::vector<float>(size.n, 1002));
  void* out = device_memory(static_cast<size_t>(size.m * size.n * 2));
  ASSERT_EQ(complete(
                [&](uint64_t* bytes, aclOpExecutor** executor) {
                  return aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize(
                      x1, make_at(s["x2"], weight_memory), x1_level0, x2_level0, x1_level1,
                      x2_level1, bias, false, true, 512, 32, make_at(s["out"], out), bytes,
                      executor);
                },
                aclnnDualLevelQuantMatmulWeightNz),
            0)
      << message();
  const auto values = read<uint16_t>(out, static_cast<size_t>(size.m * size.n));
  EXPECT_THAT(values, testing::Each(arithmetic::float_to_fp16(2026)));
}

TEST_F(DualLevelMatmulTest, RowsGivenAsFractalsFail) {
  Specs s = specs(1, 64, 16);
  aclTensor* x1 = make_with<uint8_t>(s["x1"], std::vector<uint8_t>(32, 0x22));
  aclTensor* x1_level1 = make_with<uint8_t>(s["x1Level1"], std::vector<uint8_t>(2, 127));
  aclTensor* x2_level1 = make_with<uint8_t>(s["x2Level1"], std::vector<uint8_t>(32, 127));
  aclTensor* level0 = make_with<float>(s["x1Level0"], {1});
  aclTensor* x2_level0 = make_with<float>(s["x2Level0"], std::vector<float>(16, 1));
  void* out = device_memory(32);
  const auto run_with = [&](void* weight_memory) {
    return complete(
        [&](uint64_t* size, aclOpExecutor** executor) {
          return aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize(
              x1, make_at(s["x2"], weight_memory), level0, x2_level0, x1_level1, x2_level1, nullptr,
              false, true, 512, 32, make_at(s["out"], out), size, executor);
        },
        aclnnDualLevelQuantMatmulWeightNz);
  };
  EXPECT_EQ(run_with(cast_weight(16, 64, std::vector<int8_t>(512, 0x22))), 0) << message();
  EXPECT_THAT(read<uint16_t>(out, 16), testing::Each(0x4280));  // 64
  make_with<int8_t>({{16, 32}, ACL_INT8}, std::vector<int8_t>(512, 0x22));
  EXPECT_EQ(run_with(last_memory()), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(), HasSubstr("x2"));
}

TEST_F(DualLevelMatmulTest, PadsOfTheHostsPermutationAreZero) {
  set("host_nz", "1");
  Specs s = specs(1, 64, 3);
  aclTensor* x1 = make_with<uint8_t>(s["x1"], std::vector<uint8_t>(32, 0x22));
  aclTensor* x1_level1 = make_with<uint8_t>(s["x1Level1"], std::vector<uint8_t>(2, 127));
  aclTensor* x2_level1 = make_with<uint8_t>(s["x2Level1"], std::vector<uint8_t>(6, 127));
  aclTensor* level0 = make_with<float>(s["x1Level0"], {1});
  aclTensor* x2_level0 = make_with<float>(s["x2Level0"], std::vector<float>(3, 1));
  std::vector<int8_t> fractals(512, 0);
  std::fill(fractals.begin(), fractals.begin() + 96, 0x22);
  for (const bool clean : {true, false}) {
    fractals[511] = clean ? 0 : 1;
    aclTensor* x2 = make_with<int8_t>(s["x2"], fractals);
    EXPECT_EQ(complete(
                  [&](uint64_t* size, aclOpExecutor** executor) {
                    return aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize(
                        x1, x2, level0, x2_level0, x1_level1, x2_level1, nullptr, false, true, 512,
                        32, make_at(s["out"], device_memory(6)), size, executor);
                  },
                  aclnnDualLevelQuantMatmulWeightNz),
              clean ? 0 : ACL_ERROR_RT_AICORE_EXCEPTION);
  }
  EXPECT_THAT(message(), HasSubstr("zeros in the pads"));
}

TEST_F(DualLevelMatmulTest, OtherChipsHaveNoSuchOperator) {
  set("soc", "Ascend910B2");
  // Before the null check.
  EXPECT_EQ(aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize(
                nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, false, true, 512, 32,
                nullptr, nullptr, nullptr),
            ACLNN_ERR_RUNTIME_ERROR);
}

}  // namespace
}  // namespace ascend_emulator

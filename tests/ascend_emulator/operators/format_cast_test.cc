// FormatCast through the C interface: sizes, refusals, bytes of the worked examples, and NZ bytes
// that a caller gives to operators of rows.
#include <memory>

#include "ascend_emulator/operators/operator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FormatCastTest : public OperatorTest {
 protected:
  struct Answer {
    aclnnStatus status;
    Dims shape;
    int format = -1;
  };
  Answer calculate(const TensorSpec& src, int format, int additional = -1) {
    int64_t* shape = nullptr;
    uint64_t rank = 0;
    Answer answer{};
    answer.status = aclnnNpuFormatCastCalculateSizeAndFormat(make("src", src), format, additional,
                                                             &shape, &rank, &answer.format);
    const std::unique_ptr<int64_t[]> owned(shape);
    if (shape) answer.shape.assign(shape, shape + rank);
    return answer;
  }
  aclnnStatus plan(const Specs& s) {
    return plan_only([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnNpuFormatCastGetWorkspaceSize(make("src", s.at("src")), make("dst", s.at("dst")),
                                                size, executor);
    });
  }
  static TensorSpec nz(const Dims& shape, aclDataType dtype, const Dims& storage) {
    return {shape, dtype, ACL_FORMAT_FRACTAL_NZ, {}, storage};
  }
  static auto cast(aclTensor* source, aclTensor* target) {
    return [=](uint64_t* size, aclOpExecutor** executor) {
      return aclnnNpuFormatCastGetWorkspaceSize(source, target, size, executor);
    };
  }
};

TEST_F(FormatCastTest, SizesOfTheWorkedExamples) {
  EXPECT_THAT(calculate({{48, 128}, ACL_INT8}, 29).shape, ElementsAre(4, 3, 16, 32));
  EXPECT_THAT(calculate({{48, 256}, ACL_FLOAT8_E4M3FN}, 29).shape, ElementsAre(8, 3, 16, 32));
  EXPECT_THAT(calculate({{48, 256}, ACL_BF16}, 29).shape, ElementsAre(16, 3, 16, 16));
  EXPECT_THAT(calculate({{48, 256}, ACL_FLOAT4_E2M1}, 29).shape, ElementsAre(4, 3, 16, 64));
  EXPECT_THAT(calculate({{2, 5, 17}, ACL_BF16}, 29).shape, ElementsAre(2, 2, 1, 16, 16));
  EXPECT_EQ(calculate({{48, 128}, ACL_INT8}, 29, ACL_INT8).format, 29);
}

TEST_F(FormatCastTest, CalculateRefuses) {
  EXPECT_EQ(calculate(null_tensor(), 29).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{48, 128}, ACL_FLOAT}, 29).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{48, 128}, ACL_INT8}, 2).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{48, 128}, ACL_INT8}, 51).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{48, 128}, ACL_FLOAT4_E2M1}, 29, ACL_FLOAT8_E4M3FN).status,
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("additionalDtype"));
  EXPECT_EQ(calculate({{128}, ACL_INT8}, 29).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{1, 1, 1, 1, 1, 2, 128}, ACL_INT8}, 29).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{0, 128}, ACL_INT8}, 29).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{1, 128}, ACL_BF16}, 29).status, ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{1, 128}, ACL_INT8}, 29).status, 0);
  EXPECT_EQ(calculate({{48, 128}, ACL_INT8, ACL_FORMAT_ND, {1, 48}, {6144}}, 29).status,
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(calculate({{2, 3, 4, 5, 6}, ACL_BF16, ACL_FORMAT_NDHWC}, 29).status,
            ACLNN_ERR_PARAM_INVALID);
}

TEST_F(FormatCastTest, EachArgumentIsChecked) {
  const Specs base{{"src", {{48, 128}, ACL_INT8}},
                   {"dst", nz({48, 128}, ACL_INT8, {4, 3, 16, 32})}};
  expect_refused("aclnnNpuFormatCast", base,
                 {{"src null", {{"src", null_tensor()}}, ACLNN_ERR_INNER_NULLPTR, "src"},
                  {"dst null", {{"dst", null_tensor()}}, ACLNN_ERR_INNER_NULLPTR, "dst"},
                  {"dst ND", {{"dst", {{48, 128}, ACL_INT8}}}, ACLNN_ERR_PARAM_INVALID, "format"},
                  {"dst dtype",
                   {{"dst", nz({48, 128}, ACL_FLOAT8_E4M3FN, {4, 3, 16, 32})}},
                   ACLNN_ERR_PARAM_INVALID,
                   "dst"},
                  {"dst view is the storage",
                   {{"dst", nz({4, 3, 16, 32}, ACL_INT8, {4, 3, 16, 32})}},
                   ACLNN_ERR_PARAM_INVALID,
                   "dst: expected shape"},
                  {"dst without pads",
                   {{"dst", nz({48, 128}, ACL_INT8, {48, 128})}},
                   ACLNN_ERR_PARAM_INVALID,
                   "dst: expected storage [4,3,16,32]"}},
                 [&](const Specs& s) { return plan(s); });
}

TEST_F(FormatCastTest, BytesOfTheWorkedExampleAndBack) {
  std::vector<int8_t> values(48 * 128, 0);
  values[37 * 128 + 100] = 0x5a;
  aclTensor* source = make_with<int8_t>({{48, 128}, ACL_INT8}, values);
  const TensorSpec target = nz({48, 128}, ACL_INT8, {4, 3, 16, 32});
  void *fractals = device_memory(6144), *back = device_memory(6144);
  ASSERT_EQ(complete(cast(source, make_at(target, fractals)), aclnnNpuFormatCast), 0) << message();
  EXPECT_EQ(read<int8_t>(fractals, 6144)[5796], 0x5a);
  ASSERT_EQ(complete(cast(make_at(target, fractals), make_at({{48, 128}, ACL_INT8}, back)),
                     aclnnNpuFormatCast),
            0)
      << message();
  EXPECT_EQ(read<int8_t>(back, 6144), values);
}

TEST_F(FormatCastTest, PadsAreZero) {
  aclTensor* source = make_with<int8_t>({{3, 20}, ACL_INT8}, std::vector<int8_t>(60, 1));
  const TensorSpec target = nz({3, 20}, ACL_INT8, {1, 1, 16, 32});
  void* fractals = device_memory(512);
  ASSERT_EQ(complete(cast(source, make_at(target, fractals)), aclnnNpuFormatCast), 0) << message();
  const auto bytes = read<int8_t>(fractals, 512);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 0), 512 - 60);
}

TEST_F(FormatCastTest, FractalBytesReadAsRowsFail) {
  aclTensor* source = make_with<uint16_t>({{16, 32}, ACL_BF16}, std::vector<uint16_t>(512, 0x3f80));
  const TensorSpec target = nz({16, 32}, ACL_BF16, {2, 1, 16, 16});
  void* fractals = device_memory(1024);
  ASSERT_EQ(complete(cast(source, make_at(target, fractals)), aclnnNpuFormatCast), 0) << message();
  const int status = complete(
      [&](uint64_t* size, aclOpExecutor** executor) {
        return aclnnCastGetWorkspaceSize(make_at({{16, 32}, ACL_BF16}, fractals), ACL_FLOAT,
                                         make("out", {{16, 32}}), size, executor);
      },
      aclnnCast);
  EXPECT_NE(status, 0);
  EXPECT_THAT(message(), HasSubstr("NZ"));
}

}  // namespace
}  // namespace ascend_emulator

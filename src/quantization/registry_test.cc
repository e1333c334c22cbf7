#include "quantization/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "backend/registry.h"
#include "io/safetensors.h"
#include "quantization/configs/plain/config.h"

namespace mxdit {
namespace {

using ::testing::HasSubstr;

Tensor tensor(DType dtype, const Shape& shape) {
  Tensor t = Tensor::host(dtype, shape);
  std::fill_n(static_cast<char*>(t.mutable_data()), t.bytes(), '\0');
  return t;
}

class UnquantizedTest : public ::testing::Test {
 protected:
  UnquantizedTest() {
    Tensor weight = tensor(DType::f32, {2, 3});
    for (int i = 0; i < 6; ++i) weight.as_mutable<float>()[i] = static_cast<float>(i);
    file_ = std::filesystem::path(::testing::TempDir()) /
            ("quantization_test." + std::to_string(getpid()) + ".safetensors");
    write_safetensors(file_, {{"a.weight", weight}, {"ids.weight", tensor(DType::i32, {2, 3})}});
    weights_.emplace(WeightStore::open(file_));
  }
  ~UnquantizedTest() override { std::filesystem::remove(file_); }

  std::unique_ptr<PreparedLinear> prepare(const std::string& layer, int64_t out, int64_t in) {
    const LinearPlan plan = plain_config()->plan(layer, out, in);
    return plan.method->prepare(*backend_, {&*weights_, layer}, out, in);
  }
  std::string refusal(ErrorKind kind, const std::string& layer, int64_t out, int64_t in) {
    try {
      prepare(layer, out, in);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "accepted";
  }

  std::filesystem::path file_;
  std::optional<WeightStore> weights_;
  std::unique_ptr<Backend> backend_ = make_backend("cpu", {1, "scalar"});
};

TEST_F(UnquantizedTest, Multiplies) {
  const auto linear = prepare("a", 2, 3);
  EXPECT_EQ(linear->out_features(), 2);
  EXPECT_EQ(linear->in_features(), 3);
  Tensor x = tensor(DType::f32, {1, 3});
  x.as_mutable<float>()[1] = 2.0f;
  const Tensor y = backend_->to_host(
      linear->apply(*linear->encode(backend_->from_host(x)), nullptr, Activation::none));
  EXPECT_EQ(y.as<float>()[0], 2.0f);
  EXPECT_EQ(y.as<float>()[1], 8.0f);
}

TEST_F(UnquantizedTest, NamesWhatIsWrong) {
  EXPECT_THAT(refusal(ErrorKind::not_found, "b", 2, 3), HasSubstr("b.weight"));
  EXPECT_THAT(refusal(ErrorKind::bad_input, "a", 3, 2), HasSubstr("a.weight"));
  const std::string message = refusal(ErrorKind::unsupported, "ids", 2, 3);
  EXPECT_THAT(message, HasSubstr("ids.weight"));
  EXPECT_THAT(message, HasSubstr(file_.filename().string()));
}

TEST_F(UnquantizedTest, RefusesScales) {
  write_safetensors(file_, {{"a.weight", tensor(DType::f8_e4m3, {2, 3})},
                            {"a.weight_scale", tensor(DType::f32, {2, 1})}});
  weights_.emplace(WeightStore::open(file_));
  EXPECT_THAT(refusal(ErrorKind::bad_input, "a", 2, 3),
              HasSubstr("tensor a.weight_scale: expected none beside a layer that is loaded plain, "
                        "got F32 [2, 1]"));
}

TEST_F(UnquantizedTest, RefusesForeignEncodings) {
  struct Foreign final : EncodedActivation {};
  const auto linear = prepare("a", 2, 3);
  EXPECT_THROW(linear->apply(Foreign(), nullptr, Activation::none), Error);
}

TEST(QuantizationKeys, SayWhatTheyCanDo) {
  const std::map<std::string, std::pair<bool, bool>> expected = {  // online, offline
      {"fp8", {true, true}},           {"modelopt", {false, true}}, {"modelopt_fp4", {false, true}},
      {"modelopt_fp8", {false, true}}, {"mxfp4", {true, false}},    {"mxfp4_npu", {true, false}},
      {"mxfp8", {true, false}}};
  for (const auto& [name, modes] : expected) {
    const QuantizationKey& key = find_quantization_key(name, "--quantization");
    EXPECT_EQ(key.online, modes.first) << name;
    EXPECT_EQ(key.offline, modes.second) << name;
    EXPECT_STREQ(key.where, name.starts_with("mx") ? "cpu, ascend" : "cpu") << name;
  }
  for (const QuantizationKey* key : quantization_keys()) {
    EXPECT_GT(std::string(key->summary).size(), 20u) << key->key;
    EXPECT_LT(std::string(key->summary).size(), 100u) << key->key;
  }
}

TEST(QuantizationKeys, AreFoundByName) {
  for (const QuantizationKey* key : quantization_keys())
    EXPECT_EQ(&find_quantization_key(key->key, "--quantization"), key);
  try {
    find_quantization_key("x", "--quantization");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("[quantization] --quantization: expected one of "));
    EXPECT_THAT(error.what(), HasSubstr("mxfp4_npu"));
  }
}

}  // namespace
}  // namespace mxdit

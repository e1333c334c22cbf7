#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>

#include "backend/registry.h"
#include "io/safetensors.h"
#include "layers/feed_forward.h"
#include "layers/linear_group.h"
#include "layers/norms.h"
#include "layers/parameters.h"
#include "layers/tensor_use.h"
#include "ops/ops.h"
#include "quantization/configs/plain/config.h"

namespace mxdit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor f32(const Shape& shape, const std::vector<float>& values) {
  Tensor t = Tensor::host(DType::f32, shape);
  std::copy(values.begin(), values.end(), t.as_mutable<float>());
  return t;
}

// A method that counts: every other layer has the key "b".
struct Counter {
  int encodes = 0;
};
struct CountedActivation final : EncodedActivation {
  CountedActivation(std::string k, Tensor t) : key(std::move(k)), x(std::move(t)) {}
  std::string key;
  Tensor x;
};
class CountingLinear final : public PreparedLinear {
 public:
  CountingLinear(Backend& backend, Counter& counter, std::string key, const Tensor& weight)
      : backend_(backend),
        counter_(counter),
        key_(std::move(key)),
        weight_(backend.prepare_linear(weight, {})) {}
  int64_t out_features() const noexcept override { return weight_->out_features(); }
  int64_t in_features() const noexcept override { return weight_->in_features(); }
  std::string encoding_key() const override { return key_; }
  std::unique_ptr<EncodedActivation> encode(const LinearInput& x) const override {
    ++counter_.encodes;
    return std::make_unique<CountedActivation>(key_, x.rows());
  }
  Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const override {
    const auto& counted = dynamic_cast<const CountedActivation&>(x);
    EXPECT_EQ(counted.key, key_);
    return ops::linear(backend_, counted.x, *weight_, bias, act);
  }

 private:
  Backend& backend_;
  Counter& counter_;
  std::string key_;
  std::shared_ptr<PreparedWeight> weight_;
};
class CountingMethod final : public LinearMethod {
 public:
  explicit CountingMethod(Counter& counter) : counter_(counter) {}
  std::string name() const override { return "counting"; }
  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source, int64_t out,
                                          int64_t in) const override {
    const Tensor weight =
        backend.from_host(source.weights->get(source.layer + ".weight", {out, in}));
    return std::make_unique<CountingLinear>(backend, counter_, source.layer == "odd" ? "b" : "a",
                                            weight);
  }
  LinearInfo describe(const Backend&, const LinearSource&, int64_t, int64_t) const override {
    return {};
  }

 private:
  Counter& counter_;
};
class CountingConfig final : public QuantConfig {
 public:
  explicit CountingConfig(Counter& counter) : method_(std::make_shared<CountingMethod>(counter)) {}
  std::string name() const override { return "counting"; }
  LinearPlan plan(const std::string&, int64_t, int64_t) const override { return {method_, "test"}; }

 private:
  std::shared_ptr<LinearMethod> method_;
};

class LayersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::path(::testing::TempDir()) /
            ("layers_test." + std::to_string(getpid()) + ".safetensors");
    Tensor half = Tensor::host(DType::bf16, {2});
    half.as_mutable<uint16_t>()[0] = 0x3f80;  // 1
    half.as_mutable<uint16_t>()[1] = 0xc000;  // -2
    Tensor ids = Tensor::host(DType::i64, {2});
    write_safetensors(file_, {{"one.weight", f32({2, 2}, {1, 0, 0, 1})},
                              {"one.bias", half},
                              {"odd.weight", f32({2, 2}, {0, 1, 1, 0})},
                              {"two.weight", f32({2, 2}, {2, 0, 0, 2})},
                              {"ids", ids},
                              {"norm.weight", f32({2}, {1, 1})},
                              {"norm.bias", f32({2}, {5, 5})},
                              {"rope.inv_freq", f32({1}, {1})}});
    weights_.emplace(WeightStore::open(file_));
    source_.backend = backend_.get();
    source_.weights = &*weights_;
    source_.quantization = config_.get();
    source_.use = &use_;
  }
  void TearDown() override { std::filesystem::remove(file_); }

  std::vector<float> values(const Tensor& t) {
    const Tensor host = backend_->to_host(t);
    return {host.as<float>(), host.as<float>() + host.elements()};
  }
  template <typename Call>
  std::string refusal(ErrorKind kind, Call call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "accepted";
  }

  std::filesystem::path file_;
  std::optional<WeightStore> weights_;
  std::unique_ptr<Backend> backend_ = make_backend("cpu", {1, "scalar"});
  std::unique_ptr<QuantConfig> config_ = plain_config();
  TensorUse use_;
  ModelSource source_;
};

TEST_F(LayersTest, LinearKeepsLeadingAxesAndWidensItsBias) {
  const Linear linear(source_, "one", 2, 2, Bias::required);
  const Tensor y = linear(f32({1, 2, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(y.shape(), Shape({1, 2, 2}));
  EXPECT_THAT(values(y), ElementsAre(2, 0, 4, 2));
  const Tensor wrong = f32({1, 3}, {1, 2, 3});
  EXPECT_THAT(refusal(ErrorKind::internal, [&] { linear(wrong); }), HasSubstr("one"));
}

TEST_F(LayersTest, BiasIsRequiredOptionalOrNone) {
  EXPECT_THAT(values(Linear(source_, "one", 2, 2, Bias::none)(f32({1, 2}, {1, 2}))),
              ElementsAre(1, 2));
  EXPECT_THAT(values(Linear(source_, "two", 2, 2, Bias::optional)(f32({1, 2}, {1, 2}))),
              ElementsAre(2, 4));
  EXPECT_THAT(refusal(ErrorKind::not_found, [&] { Linear(source_, "two", 2, 2, Bias::required); }),
              HasSubstr("two.bias"));
}

// Multiplies, unless the activation is one that its device does not know.
class FailingMethod final : public LinearMethod {
 public:
  struct Layer final : PreparedLinear {
    int64_t out_features() const noexcept override { return 2; }
    int64_t in_features() const noexcept override { return 3; }
    std::string encoding_key() const override { return ""; }
    std::unique_ptr<EncodedActivation> encode(const LinearInput&) const override {
      return std::make_unique<EncodedActivation>();
    }
    Tensor apply(const EncodedActivation&, const Tensor*, Activation act) const override {
      if (act == Activation::silu) fail(ErrorKind::out_of_memory, "[backend] none left");
      fail(ErrorKind::bad_input, "[io] another room's");
    }
  };
  std::string name() const override { return "failing"; }
  std::unique_ptr<PreparedLinear> prepare(Backend&, const LinearSource& source, int64_t,
                                          int64_t) const override {
    if (source.layer == "refused") fail(ErrorKind::unsupported, "[backend] no such format");
    return std::make_unique<Layer>();
  }
  LinearInfo describe(const Backend&, const LinearSource&, int64_t, int64_t) const override {
    return {};
  }
};
class FailingConfig final : public QuantConfig {
 public:
  std::string name() const override { return "failing"; }
  LinearPlan plan(const std::string&, int64_t, int64_t) const override {
    return {std::make_shared<FailingMethod>(), ""};
  }
};

TEST_F(LayersTest, ErrorsOfABackEndNameTheLayer) {
  const FailingConfig config;
  ModelSource source = source_;
  source.quantization = &config;
  EXPECT_EQ(refusal(ErrorKind::unsupported, [&] { Linear(source, "refused", 2, 3, Bias::none); }),
            "[backend] no such format (layer refused of " + source.weights->path().string() + ")");
  const Linear layer(source, "blocks.0.ffn", 2, 3, Bias::none);
  const Tensor x = Tensor::host(DType::f32, {1, 3});
  EXPECT_EQ(refusal(ErrorKind::out_of_memory, [&] { layer(x, Activation::silu); }),
            "[backend] none left (layer blocks.0.ffn)");
  EXPECT_EQ(refusal(ErrorKind::bad_input, [&] { layer(x); }), "[io] another room's");
}

TEST_F(LayersTest, ParametersNameFileAndTensor) {
  EXPECT_THAT(refusal(ErrorKind::bad_input, [&] { load_parameter(source_, "one.bias", {3}); }),
              HasSubstr("one.bias"));
  const std::string message =
      refusal(ErrorKind::unsupported, [&] { load_parameter(source_, "ids", {2}); });
  EXPECT_THAT(message, HasSubstr(file_.filename().string() + " tensor ids"));
  EXPECT_EQ(load_stored(source_, "one.bias", {2}).dtype(), DType::bf16);
  EXPECT_THAT(values(load_parameter(source_, "one.bias", {2})), ElementsAre(1, -2));
}

TEST_F(LayersTest, GroupEncodesOncePerKey) {
  Counter counter;
  const CountingConfig config(counter);
  source_.quantization = &config;
  const LinearGroup group(source_, {"one", "odd", "two"}, 2, 2, Bias::none);
  const std::vector<Tensor> results = group(f32({1, 1, 2}, {1, 2}));
  EXPECT_EQ(counter.encodes, 2);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].shape(), Shape({1, 1, 2}));
  EXPECT_THAT(values(results[0]), ElementsAre(1, 2));
  EXPECT_THAT(values(results[1]), ElementsAre(2, 1));
  EXPECT_THAT(values(results[2]), ElementsAre(2, 4));
}

TEST_F(LayersTest, NormsAndFeedForward) {
  const Tensor x = f32({1, 2}, {-3, 3});
  EXPECT_NEAR(values(LayerNorm(source_, "norm", 2, 1e-6f)(x))[1], 6, 1e-5);
  EXPECT_NEAR(values(RmsNorm(source_, "norm", 2, 1e-6f)(x))[0], -1, 1e-5);
  EXPECT_THAT(refusal(ErrorKind::not_found,
                      [&] {
                        FeedForward(source_, "one", "two", {2, 2, 2}, Activation::silu);
                      }),
              HasSubstr("two.bias"));
}

TEST_F(LayersTest, LayersReadNormsOfStreams) {
  Counter counter;
  const CountingConfig config(counter);
  ModelSource counted = source_;
  counted.quantization = &config;
  const LayerNorm norm(source_, "norm", 2, 1e-6f);
  const Linear linear(source_, "one", 2, 2, Bias::required);
  const FeedForward feed_forward(source_, "one", "one", {2, 2, 2}, Activation::silu);
  const LinearGroup group(counted, {"one", "odd", "two"}, 2, 2, Bias::none);
  for (const int64_t count : {int64_t{3}, FeedForward::kPartRows + 1}) {
    Tensor x = Tensor::host(DType::f32, {1, count, 2});
    for (int64_t i = 0; i < x.elements(); ++i)
      x.as_mutable<float>()[i] = static_cast<float>(i * i % 1013) / 100.0f - 5.0f;
    const Tensor normed = norm(ops::add(*backend_, x, x));
    const auto stream = [&] {
      Residual sum(*backend_, x);
      sum.add(x);
      return sum;
    };
    Residual a = stream(), b = stream(), c = stream();
    EXPECT_EQ(linear(norm(a)).shape(), x.shape());
    EXPECT_EQ(values(linear(norm(a))), values(linear(normed)));
    EXPECT_EQ(values(feed_forward(norm(b))), values(feed_forward(normed)));
    const std::vector<Tensor> got = group(norm(c)), expected = group(normed);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(values(got.at(i)), values(expected[i])) << i;
  }
  EXPECT_EQ(counter.encodes, 8);
}

TEST_F(LayersTest, ManyRowsOfAFeedForwardAreThoseOfItsParts) {
  const FeedForward feed_forward(source_, "one", "one", {2, 2, 2}, Activation::silu);
  const int64_t rows = 2 * FeedForward::kPartRows + 3;
  Tensor x = Tensor::host(DType::f32, {1, rows, 2});
  for (int64_t i = 0; i < x.elements(); ++i)
    x.as_mutable<float>()[i] = static_cast<float>(i % 1013) / 100.0f - 5.0f;
  const Tensor all = feed_forward(x);
  ASSERT_EQ(all.shape(), x.shape());
  for (const int64_t row : {int64_t{0}, FeedForward::kPartRows - 1, FeedForward::kPartRows, rows - 1}) {
    const Tensor one = feed_forward(x.reshape({rows, 2}).slice(row, row + 1));
    EXPECT_EQ(values(one)[0], all.as<float>()[row * 2]) << row;
    EXPECT_EQ(values(one)[1], all.as<float>()[row * 2 + 1]) << row;
  }
}

TEST_F(LayersTest, UnusedTensorsAreNamed) {
  const Linear linear(source_, "one", 2, 2, Bias::none);
  const RmsNorm norm(source_, "norm", 2, 1e-6f);
  const std::array<std::string_view, 1> ignorable = {"inv_freq"};
  EXPECT_THAT(use_.unused(*weights_, ignorable),
              ElementsAre("ids", "norm.bias", "odd.weight", "two.weight"));
}

}  // namespace
}  // namespace mxdit

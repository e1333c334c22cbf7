#include "ops/ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "backend/registry.h"

namespace mxdit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OpsTest : public ::testing::Test {
 protected:
  Tensor make(const Shape& shape, const std::vector<float>& values) {
    Tensor host = Tensor::host(DType::f32, shape);
    std::memcpy(host.mutable_data(), values.data(), host.bytes());
    return backend_->from_host(host);
  }
  // 0, 1, 2, ...
  Tensor iota(const Shape& shape) {
    std::vector<float> values(static_cast<size_t>(shape.elements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    return make(shape, values);
  }
  std::vector<float> values(const Tensor& t) {
    const Tensor host = backend_->to_host(ops::cast(*backend_, t, DType::f32));
    return {host.as<float>(), host.as<float>() + host.elements()};
  }
  template <typename Call>
  void expect_refused(const char* op, Call call) {
    try {
      call();
      ADD_FAILURE() << op << ": accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::internal);
      EXPECT_THAT(error.what(), HasSubstr(std::string("[ops] ") + op));
    }
  }

  std::unique_ptr<Backend> backend_ = make_backend("cpu", {});
};

TEST_F(OpsTest, PermuteMovesAxes) {
  const std::array<int, 3> axes = {2, 0, 1};
  const Tensor out = ops::permute(*backend_, iota({1, 2, 3}), axes);
  EXPECT_EQ(out.shape(), Shape({3, 1, 2}));
  EXPECT_THAT(values(out), ElementsAre(0, 3, 1, 4, 2, 5));
  const std::array<int, 3> twice = {0, 0, 1};
  expect_refused("permute", [&] { ops::permute(*backend_, iota({1, 2, 3}), twice); });
  expect_refused("permute", [&] { ops::permute(*backend_, iota({1, 2}), axes); });
}

TEST_F(OpsTest, NarrowAndConcatAreInverse) {
  const Tensor x = iota({2, 3});
  const Tensor left = ops::narrow(*backend_, x, 1, 0, 1);
  const Tensor right = ops::narrow(*backend_, x, -1, 1, 3);
  EXPECT_THAT(values(right), ElementsAre(1, 2, 4, 5));
  const std::vector<Tensor> parts = {left, right};
  EXPECT_EQ(values(ops::concat(*backend_, parts, 1)), values(x));
  expect_refused("narrow", [&] { ops::narrow(*backend_, x, 1, 2, 4); });
  expect_refused("narrow", [&] { ops::narrow(*backend_, x, 2, 0, 1); });
  expect_refused("concat", [&] { ops::concat(*backend_, parts, 0); });
}

TEST_F(OpsTest, WriteBlockStaysInside) {
  Tensor out = make({2, 3}, {0, 0, 0, 0, 0, 0});
  const std::array<int64_t, 2> begin = {1, 1};
  ops::write_block(*backend_, make({1, 2}, {7, 8}), begin, out);
  EXPECT_THAT(values(out), ElementsAre(0, 0, 0, 0, 7, 8));
  expect_refused("write_block", [&] {
    ops::write_block(*backend_, make({2, 2}, {1, 2, 3, 4}), begin, out);
  });
}

TEST_F(OpsTest, GatherRows) {
  Tensor ids = Tensor::host(DType::i32, {2});
  ids.as_mutable<int32_t>()[0] = 2;
  ids.as_mutable<int32_t>()[1] = 0;
  const Tensor table = iota({3, 2});
  EXPECT_THAT(values(ops::gather_rows(*backend_, table, backend_->from_host(ids), DType::f32)),
              ElementsAre(4, 5, 0, 1));
  expect_refused("gather_rows", [&] { ops::gather_rows(*backend_, table, table, DType::f32); });
}

TEST_F(OpsTest, LinearKeepsLeadingAxes) {
  const auto weight = backend_->prepare_linear(make({2, 3}, {1, 0, 0, 0, 1, 1}), {});
  const Tensor bias = make({2}, {10, 20});
  const Tensor out = ops::linear(*backend_, iota({1, 2, 3}), *weight, &bias);
  EXPECT_EQ(out.shape(), Shape({1, 2, 2}));
  EXPECT_THAT(values(out), ElementsAre(10, 23, 13, 29));
  expect_refused("linear", [&] { ops::linear(*backend_, iota({2, 2}), *weight, nullptr); });
  const Tensor wide = iota({3});
  expect_refused("linear", [&] { ops::linear(*backend_, iota({2, 3}), *weight, &wide); });
}

TEST_F(OpsTest, ConvInfersItsShape) {
  const auto weight = backend_->prepare_conv3d(make({1, 1, 1, 2, 2}, {1, 1, 1, 1}), DType::f32);
  Conv3dParams params;
  params.pad_bottom = params.pad_right = 1;
  const Tensor x = iota({1, 2, 2, 1});
  const Tensor out = ops::conv3d(*backend_, {&x, 1}, *weight, {1, 2, 2}, nullptr, params);
  EXPECT_EQ(out.shape(), Shape({1, 2, 2, 1}));
  EXPECT_THAT(values(out), ElementsAre(6, 4, 5, 3));
  const Tensor clips[] = {x, iota({1, 3, 2, 1})};
  expect_refused("conv3d", [&] {
    ops::conv3d(*backend_, clips, *weight, {1, 2, 2}, nullptr, params);
  });
  expect_refused("conv3d", [&] {
    ops::conv3d(*backend_, {}, *weight, {1, 2, 2}, nullptr, params);
  });
  const Tensor small = iota({1, 1, 1, 1});
  expect_refused("conv3d", [&] {
    ops::conv3d(*backend_, {&small, 1}, *weight, {1, 2, 2}, nullptr, {});
  });
  const Tensor gain = make({1}, {-3});
  const Tensor normed = ops::conv3d(*backend_, {&x, 1}, *weight, {1, 2, 2}, nullptr, params,
                                    {.residual = &x, .gain = &gain, .border = 1});
  EXPECT_EQ(normed.shape(), Shape({1, 4, 4, 1}));
  EXPECT_THAT(values(normed), ElementsAre(0, 0, 0, 0, 0, -3, -3, 0, 0, -3, -3, 0, 0, 0, 0, 0));
  expect_refused("conv3d", [&] {
    ops::conv3d(*backend_, {&x, 1}, *weight, {1, 2, 2}, nullptr, params, {.residual = &small});
  });
  expect_refused("conv3d", [&] {
    ops::conv3d(*backend_, {&x, 1}, *weight, {1, 2, 2}, nullptr, params, {.border = 1});
  });
}

TEST_F(OpsTest, AttentionOverOneKeyIsItsValue) {
  const Tensor q = iota({1, 2, 1, 2}), k = iota({1, 1, 1, 2}), v = make({1, 1, 1, 2}, {5, 6});
  EXPECT_THAT(values(ops::attention(*backend_, q, k, v, {})), ElementsAre(5, 6, 5, 6));
  const Tensor bias = iota({1, 2, 2});
  expect_refused("attention", [&] { ops::attention(*backend_, q, k, v, {1.0f, &bias, {}}); });
  expect_refused("attention", [&] { ops::attention(*backend_, q, k, iota({1, 1, 2, 2}), {}); });
  const std::array<int64_t, 1> lengths = {2};
  expect_refused("attention", [&] {
    ops::attention(*backend_, q, k, v, {1.0f, nullptr, lengths});
  });
}

TEST_F(OpsTest, Norms) {
  const Tensor x = make({1, 1, 2}, {3, 4});
  const Tensor gain = make({2}, {1, 2});
  EXPECT_NEAR(values(ops::rms_norm(*backend_, x, gain, 0))[1], 8 / std::sqrt(12.5f), 1e-5f);
  EXPECT_NEAR(values(ops::layer_norm(*backend_, x, &gain, &gain, 0))[1], 4, 1e-5f);
  EXPECT_NEAR(values(ops::channel_norm(*backend_, x, gain, Activation::none))[0],
              0.6f * std::sqrt(2.0f), 1e-5f);
  const Tensor modulation = make({1, 1, 2}, {1, 1});
  EXPECT_NEAR(values(ops::norm_modulate(*backend_, x, modulation, modulation, 0))[1], 3, 1e-5f);
  const Tensor wide = iota({3});
  expect_refused("rms_norm", [&] { ops::rms_norm(*backend_, x, wide, 0); });
  expect_refused("layer_norm", [&] { ops::layer_norm(*backend_, x, &wide, nullptr, 0); });
  expect_refused("channel_norm",
                 [&] { ops::channel_norm(*backend_, x, gain, Activation::none, 1); });
  expect_refused("channel_norm",
                 [&] { ops::channel_norm(*backend_, x, gain, Activation::gelu_erf); });
  expect_refused("norm_modulate", [&] { ops::norm_modulate(*backend_, x, gain, gain, 0); });
}

TEST_F(OpsTest, NormsOfSums) {
  const Tensor x = make({1, 1, 2}, {1, 3}), y = make({1, 1, 2}, {2, 1});
  const Tensor row = make({1, 1, 2}, {1, 1}), wide = iota({1, 1, 3});
  Tensor sum = iota({1, 1, 2});
  const NormedSum all = {
      .x = &x, .y = &y, .gate = &row, .sum = &sum, .gain = &row, .bias = &row, .modulates = true};
  EXPECT_NEAR(values(ops::norm_sum(*backend_, all))[1], 3, 1e-5f);
  EXPECT_THAT(values(sum), ElementsAre(3, 4));
  const auto refuse = [&](const auto& change) {
    NormedSum wrong = all;
    change(wrong);
    expect_refused("norm_sum", [&] { ops::norm_sum(*backend_, wrong); });
    expect_refused("quantize_normed", [&] { ops::quantize_normed(*backend_, wrong, kMxfp8, {}); });
  };
  refuse([&](NormedSum& s) { s.x = nullptr; });
  refuse([&](NormedSum& s) { s.y = nullptr; });
  refuse([&](NormedSum& s) { s.sum = nullptr; });
  refuse([&](NormedSum& s) { s.y = &wide; });
  refuse([&](NormedSum& s) { s.gate = &wide; });
  refuse([&](NormedSum& s) { s.gain = nullptr; });
  refuse([&](NormedSum& s) { s.modulates = false; });
  // f32 is not encoded.
  expect_refused("quantize_normed", [&] { ops::quantize_normed(*backend_, all, kMxfp8, {}); });
}

TEST_F(OpsTest, Elementwise) {
  const Tensor x = make({1, 2, 2}, {1, 2, 3, 4});
  const Tensor row = make({2}, {10, 20});
  EXPECT_THAT(values(ops::add(*backend_, x, row)), ElementsAre(11, 22, 13, 24));
  EXPECT_THAT(values(ops::gate_add(*backend_, x, x, make({1, 1, 2}, {1, 2}))),
              ElementsAre(2, 6, 6, 12));
  EXPECT_THAT(values(ops::activate_gated(*backend_, Activation::none, x, x)),
              ElementsAre(1, 4, 9, 16));
  const std::array<float, 2> coefficients = {2, -1};
  const Tensor half = ops::cast(*backend_, x, DType::bf16);
  const std::array<const Tensor*, 2> inputs = {&x, &half};
  EXPECT_EQ(values(ops::linear_combination(*backend_, coefficients, inputs, DType::f32)),
            values(x));
  expect_refused("add", [&] { ops::add(*backend_, x, iota({3})); });
  expect_refused("add", [&] { ops::add(*backend_, row, x); });
  expect_refused("gate_add", [&] { ops::gate_add(*backend_, x, half, iota({1, 1, 2})); });
  expect_refused("activate_gated",
                 [&] { ops::activate_gated(*backend_, Activation::silu, x, row); });
  expect_refused("activate", [&] { ops::activate(*backend_, Activation::silu, Tensor()); });
  expect_refused("linear_combination", [&] {
    ops::linear_combination(*backend_, {coefficients.data(), 1}, inputs, DType::f32);
  });
}

TEST_F(OpsTest, RopeTurnsPairs) {
  const Tensor x = make({1, 1, 1, 2}, {1, 2});
  EXPECT_THAT(values(ops::rope(*backend_, x, make({1, 1}, {0}), make({1, 1}, {1}))),
              ElementsAre(-2, 1));
  expect_refused("rope", [&] { ops::rope(*backend_, x, iota({2, 1}), iota({2, 1})); });
  const Tensor row = make({1, 1, 2}, {3, 3}), gain = make({2}, {1, 2});
  const Tensor turned =
      ops::rms_norm_rope(*backend_, row, gain, 0, make({1, 1}, {0}), make({1, 1}, {1}));
  EXPECT_EQ(turned.shape(), Shape({1, 1, 1, 2}));
  EXPECT_THAT(values(turned), ElementsAre(-2, 1));
  const auto refuse = [&](const Tensor& g, const Tensor& cos, const Tensor& sin) {
    expect_refused("rms_norm_rope", [&] { ops::rms_norm_rope(*backend_, row, g, 0, cos, sin); });
  };
  refuse(gain, iota({1, 2}), iota({1, 2}));
  refuse(gain, iota({2, 1}), iota({2, 1}));
  refuse(gain, iota({1, 1}), iota({1, 2}));
  refuse(gain, Tensor(), iota({1, 1}));
  refuse(iota({3}), iota({1, 1}), iota({1, 1}));
}

TEST_F(OpsTest, UpsampleRepeatsPixels) {
  EXPECT_THAT(values(ops::upsample2x(*backend_, make({1, 1, 2, 1}, {1, 2}))),
              ElementsAre(1, 1, 2, 2, 1, 1, 2, 2));
  expect_refused("upsample2x", [&] { ops::upsample2x(*backend_, iota({1, 2})); });
}

TEST_F(OpsTest, CastRefusesIntegers) {
  const Tensor ids = Tensor::host(DType::i32, {2});
  expect_refused("cast", [&] { ops::cast(*backend_, ids, DType::f32); });
}

}  // namespace
}  // namespace mxdit

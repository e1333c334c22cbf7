// Operators that run several on a row while it is in cache: what the several give one after the
// other, to the bit, at any number of threads.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "conformance/cases.h"
#include "conformance/targets.h"
#include "ops/residual.h"

namespace mxdit::conformance {
namespace {

constexpr float kEps = 1e-6f;

class FusedRowsTest : public ::testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  Tensor input(DType dtype, const Shape& shape, uint32_t seed, float scale = 1.0f) {
    return backend_->from_host(random_tensor(dtype, shape, seed, scale));
  }
  void expect_bytes(const Tensor& got, const Tensor& expected, const std::string& what) {
    const Tensor a = backend_->to_host(got), b = backend_->to_host(expected);
    ASSERT_EQ(a.dtype(), b.dtype()) << what;
    ASSERT_EQ(a.shape(), b.shape()) << what;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0) << what;
  }

  void expect_matrix(const QuantizedMatrix& got, const QuantizedMatrix& expected,
                     const std::string& what) {
    ASSERT_EQ(got.rows, expected.rows) << what;
    expect_bytes(got.elements, expected.elements, what + ", elements");
    if (expected.block_scale.defined())
      expect_bytes(got.block_scale, expected.block_scale, what + ", block scales");
    if (expected.scale.defined()) expect_bytes(got.scale, expected.scale, what + ", scales");
  }
  // The operators of `rows` one after the other; the sum goes to `sum`.
  Tensor in_turn(const NormedSum& rows, Tensor& sum) {
    sum = *rows.x;
    if (rows.y != nullptr)
      sum = rows.gate == nullptr ? ops::add(*backend_, *rows.x, *rows.y)
                                 : ops::gate_add(*backend_, *rows.x, *rows.y, *rows.gate);
    return rows.modulates ? ops::norm_modulate(*backend_, sum, *rows.bias, *rows.gain, rows.eps)
                          : ops::layer_norm(*backend_, sum, rows.gain, rows.bias, rows.eps);
  }
  // Calls check(rows, what) with every kind of sum and of norm; `rows.sum` is not set.
  template <typename Check>
  void for_each_kind(DType type, const Shape& shape, const Check& check);

  std::unique_ptr<Backend> backend_ = make_target(std::get<0>(GetParam()), std::get<1>(GetParam()));
};

TEST_P(FusedRowsTest, RotatedNorms) {
  struct Size {
    int64_t batch, positions, heads, dim;
  };
  for (const DType type : {DType::f32, DType::bf16})
    for (const Size& s : {Size{1, 1, 1, 2}, {2, 37, 3, 10}, {1, 50, 12, 128}, {3, 5, 1, 34}}) {
      const Tensor x = input(type, {s.batch, s.positions, s.heads * s.dim}, 1, 4.0f);
      const Tensor gain = input(DType::f32, {s.heads * s.dim}, 2);
      const Tensor cos = input(DType::f32, {s.positions, s.dim / 2}, 3);
      const Tensor sin = input(DType::f32, {s.positions, s.dim / 2}, 4);
      const Shape heads = {s.batch, s.positions, s.heads, s.dim};
      expect_bytes(
          ops::rms_norm_rope(*backend_, x, gain, kEps, cos, sin),
          ops::rope(*backend_, ops::rms_norm(*backend_, x, gain, kEps).reshape(heads), cos, sin),
          mxdit::detail::concat(name(type), " ", heads));
    }
}

template <typename Check>
void FusedRowsTest::for_each_kind(DType type, const Shape& shape, const Check& check) {
  const int64_t batch = shape[0], columns = shape[2];
  const Tensor x = input(type, shape, 1, 4.0f), y = input(type, shape, 2, 4.0f);
  const Tensor gain = input(DType::f32, {columns}, 3), bias = input(DType::f32, {columns}, 4);
  for (const bool per_row : {false, true}) {
    const Shape rows = {batch, per_row ? shape[1] : 1, columns};
    const Tensor scale = input(DType::f32, rows, 5), shift = input(DType::f32, rows, 6);
    const Tensor gate = input(DType::f32, rows, 7);
    const NormedSum norms[] = {{.eps = kEps},
                               {.gain = &gain, .bias = &bias, .eps = kEps},
                               {.gain = &scale, .bias = &shift, .modulates = true, .eps = kEps}};
    for (NormedSum norm : norms)
      for (const char* sum : {"x", "x + y", "x + y gate"}) {
        norm.x = &x;
        norm.y = sum == std::string("x") ? nullptr : &y;
        norm.gate = sum == std::string("x + y gate") ? &gate : nullptr;
        check(norm, mxdit::detail::concat(sum, ", gain ", norm.gain != nullptr, ", modulates ",
                                          norm.modulates, ", per row ", per_row, ", ", name(type),
                                          " ", shape));
      }
  }
}

TEST_P(FusedRowsTest, NormsOfSums) {
  for (const DType type : {DType::f32, DType::bf16})
    for (const Shape& shape : {Shape{1, 1, 1}, {2, 33, 31}, {3, 9, 96}, {1, 50, 1536}})
      for_each_kind(type, shape, [&](NormedSum rows, const std::string& what) {
        Tensor expected_sum;
        const Tensor expected = in_turn(rows, expected_sum);
        Tensor sum = backend_->empty(type, shape);
        if (rows.y != nullptr) rows.sum = &sum;
        expect_bytes(ops::norm_sum(*backend_, rows), expected, what);
        if (rows.y == nullptr) return;
        expect_bytes(sum, expected_sum, what + ", sum");
        Tensor y = input(type, shape, 2, 4.0f);  // the sum may take an input's place
        rows.y = rows.sum = &y;
        expect_bytes(ops::norm_sum(*backend_, rows), expected, what + ", in place");
        expect_bytes(y, expected_sum, what + ", sum in place");
      });
}

TEST_P(FusedRowsTest, NormsOfSumsEncoded) {
  const QuantizeOptions dynamic, fixed{.static_scale = 0.01f}, floors{.round = RoundMode::floor};
  struct Way {
    const QuantFormat* format;
    const QuantizeOptions* options;
  };
  const Way ways[] = {{&kMxfp4Dual, &dynamic}, {&kMxfp4Dual, &floors}, {&kMxfp4, &dynamic},
                      {&kMxfp8, &dynamic},     {&kNvfp4, &fixed},      {&kFp8Row, &dynamic},
                      {&kInt8Row, &fixed},     {&kInt8Row, &dynamic}};
  for (const Shape& shape : {Shape{1, 1, 2}, {2, 33, 34}, {3, 15, 544}, {1, 70, 1600}}) {
    const Tensor smooth = input(DType::bf16, {shape[2]}, 8);
    for (const Way& way : ways)
      for (const bool smooths : {false, true})
        for_each_kind(DType::bf16, shape, [&](NormedSum rows, const std::string& given) {
          const std::string what = std::string(way.format->name) + ", " + given;
          QuantizeOptions options = *way.options;
          if (smooths) options.smooth_scale = &smooth;
          Tensor expected_sum;
          const Tensor normed = in_turn(rows, expected_sum);
          const QuantizedMatrix expected = ops::quantize(
              *backend_, normed.reshape({shape[0] * shape[1], shape[2]}), *way.format, options);
          Tensor sum = backend_->empty(DType::bf16, shape);
          if (rows.y != nullptr) rows.sum = &sum;
          const QuantizedMatrix got = ops::quantize_normed(*backend_, rows, *way.format, options);
          expect_matrix(got, expected, what);
          if (rows.y != nullptr) expect_bytes(sum, expected_sum, what + ", sum");
        });
  }
}

// What encoding leaves for products.
TEST_P(FusedRowsTest, ProductsOfEncodedNorms) {
  for (const Shape& shape : {Shape{1, 1, 64}, {2, 33, 544}, {1, 45, 1600}}) {
    const auto weight = backend_->prepare_quantized(
        ops::quantize(*backend_, input(DType::bf16, {40, shape[2]}, 9), kMxfp4Dual));
    for_each_kind(DType::bf16, shape, [&](NormedSum rows, const std::string& what) {
      if (rows.y != nullptr) return;
      QuantizedMatrix got = ops::quantize_normed(*backend_, rows, kMxfp4Dual);
      QuantizedMatrix bytes = got;
      bytes.packed = nullptr;
      const auto multiply = [&](const QuantizedMatrix& x) {
        return ops::quantized_linear(*backend_, x, *weight, nullptr, Activation::none, DType::f32);
      };
      expect_bytes(multiply(got), multiply(bytes), what);
    });
  }
}

TEST_P(FusedRowsTest, StreamsAreSumsInTurn) {
  const Shape shape = {2, 7, 96};
  const Tensor x = input(DType::bf16, shape, 1), first = input(DType::bf16, shape, 2),
               second = input(DType::bf16, shape, 3), gate = input(DType::f32, {2, 1, 96}, 4),
               kept = input(DType::bf16, shape, 2);
  const Tensor a = ops::gate_add(*backend_, x, first, gate), b = ops::add(*backend_, a, second);
  Residual stream(*backend_, x);
  const LayerNormParams norm = {.eps = kEps};
  expect_bytes(stream.normed(norm), ops::layer_norm(*backend_, x, nullptr, nullptr, kEps), "x");
  stream.add(first, gate);
  for (const char* when : {"summing", "again"})
    expect_bytes(stream.normed(norm), ops::layer_norm(*backend_, a, nullptr, nullptr, kEps), when);
  expect_bytes(first, kept, "a tensor that others hold");
  stream.add(input(DType::bf16, shape, 3));
  const QuantizedMatrix got = stream.quantized(norm, kMxfp8, {});
  const Tensor normed = ops::layer_norm(*backend_, b, nullptr, nullptr, kEps);
  expect_matrix(got, ops::quantize(*backend_, normed.reshape({14, 96}), kMxfp8), "encoded");
  expect_bytes(stream.value(), b, "value");
  stream.add(first);
  stream.add(second, gate);  // before anybody asked for the sum
  expect_bytes(stream.value(),
               ops::gate_add(*backend_, ops::add(*backend_, b, first), second, gate), "two more");
}

INSTANTIATE_TEST_SUITE_P(Targets, FusedRowsTest,
                         ::testing::Combine(::testing::ValuesIn(targets()),
                                            ::testing::Values(1, 3)),
                         [](const auto& target) {
                           return std::get<0>(target.param) + "_" +
                                  std::to_string(std::get<1>(target.param));
                         });

}  // namespace
}  // namespace mxdit::conformance

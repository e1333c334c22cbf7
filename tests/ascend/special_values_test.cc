// Encodings of every bit pattern against formats/reference: blocks whose scale is 0xFF have elements
// that no rule fixes, everything else is equal to the bit. And what infinities do in products.
#include <cmath>
#include <limits>
#include <random>

#include "ascend/ascend_testing.h"
#include "formats/reference.h"

namespace mxdit::ascend {
namespace {

class SpecialValues : public AscendTest {};

Tensor random_bits(DType type, const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor x = Tensor::host(type, shape);
  for (int64_t i = 0; i < x.elements(); ++i)
    x.as_mutable<uint16_t>()[i] = static_cast<uint16_t>(random());
  return x;
}

// Neighbours side by side, so that a block has one exponent.
Tensor every_pattern(DType type) {
  Tensor x = Tensor::host(type, {128, 512});
  for (int64_t i = 0; i < x.elements(); ++i) x.as_mutable<uint16_t>()[i] = static_cast<uint16_t>(i);
  return x;
}

// Zeros, subnormals and the smallest normal numbers.
Tensor tiny_numbers(DType type, uint32_t seed) {
  Tensor x = random_bits(type, {16, 514}, seed);
  const uint16_t mask = type == DType::bf16 ? 0x81ff : 0x87ff;
  for (int64_t i = 0; i < x.elements(); ++i) x.as_mutable<uint16_t>()[i] &= mask;
  return x;
}

void clear_unspecified(QuantizedMatrix& matrix) {
  const QuantFormat& format = *matrix.format;
  const int64_t codes = matrix.block_scale.elements() / matrix.rows;
  for (int64_t row = 0; row < matrix.rows; ++row)
    for (int64_t block = 0; block * format.block < matrix.columns; ++block) {
      if (matrix.block_scale.as<uint8_t>()[row * codes + block] != 0xff) continue;
      const int64_t per_byte = 8 / format.element->bits, width = matrix.elements.dim(1);
      for (int64_t i = block * format.block / per_byte;
           i < std::min(width, (block + 1) * format.block / per_byte); ++i)
        matrix.elements.as_mutable<uint8_t>()[row * width + i] = 0;
    }
}

TEST_F(SpecialValues, EncodingsAreThoseOfTheReference) {
  for (const DType type : {DType::bf16, DType::f16}) {
    const Tensor inputs[] = {random_bits(type, {32, 514}, 1), every_pattern(type),
                             tiny_numbers(type, 2)};
    for (const Tensor& x : inputs)
      for (const QuantFormat* format : {&kMxfp4Dual, &kMxfp4, &kMxfp8, &kMxfp8E5m2}) {
        SCOPED_TRACE(mxdit::detail::concat(format->name, " ", name(type), " ", x.shape()));
        QuantizedMatrix expected = reference::quantize(x, *format);
        QuantizedMatrix got = ops::quantize(*ascend_, ascend_->from_host(x), *format);
        got.elements = ascend_->to_host(got.elements);
        got.block_scale = ascend_->to_host(got.block_scale);
        clear_unspecified(expected);
        clear_unspecified(got);
        EXPECT_TRUE(equal_bytes(expected.block_scale, got.block_scale));
        EXPECT_TRUE(equal_bytes(expected.elements, got.elements));
        if (!format->has_scale()) continue;
        EXPECT_TRUE(equal_bytes(expected.scale, ascend_->to_host(got.scale)));
      }
  }
}

TEST_F(SpecialValues, RowsKeepTheirInfinities) {
  Tensor x = random_tensor(DType::f32, {3, 1, 8}, 3);
  x.as_mutable<float>()[8] = std::numeric_limits<float>::infinity();
  const Tensor w = random_tensor(DType::bf16, {5, 8}, 4);
  const auto weight = ascend_->prepare_linear(ascend_->from_host(w), {.bias = false});
  const Tensor out = ascend_->to_host(
      ops::linear(*ascend_, ascend_->from_host(x).reshape({3, 8}), *weight, nullptr));
  for (int64_t i = 0; i < out.elements(); ++i)
    EXPECT_EQ(std::isfinite(out.as<float>()[i]), i / 5 != 1) << i;
}

}  // namespace
}  // namespace mxdit::ascend

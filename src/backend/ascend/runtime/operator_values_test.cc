#include "backend/ascend/runtime/operator_values.h"

#include <gtest/gtest.h>

#include <set>

namespace mxdit::ascend {
namespace {

std::string key(const ArgumentRef& argument) {
  std::string bytes;
  append_key(bytes, argument);
  return bytes;
}
std::string key(const TensorView& view) {
  return key(ArgumentRef(&view));
}

TEST(TensorViewTest, OfAWholeTensor) {
  const Tensor tensor = Tensor::host(DType::bf16, {2, 3, 5});
  const TensorView view = TensorView::of(tensor);
  EXPECT_EQ(view.dtype, DataType::bfloat16);
  EXPECT_EQ(view.dims, (Extents{2, 3, 5}));
  EXPECT_EQ(view.strides, (Extents{15, 5, 1}));
  EXPECT_EQ(view.offset, 0);
  EXPECT_EQ(view.storage, view.dims);
  EXPECT_EQ(view.data, tensor.data());
  EXPECT_EQ(view.text(), "BF16 [2, 3, 5]");
}

TEST(TensorViewTest, ASliceStartsAtTheBoundaryBefore) {
  const Tensor tensor = Tensor::host(DType::f32, {40, 3});
  const Tensor rows = tensor.slice(7, 9);  // 84 bytes on
  const TensorView view = TensorView::of(rows);
  EXPECT_EQ(static_cast<const char*>(view.data) - static_cast<const char*>(tensor.data()), 64);
  EXPECT_EQ(view.offset, 5);
  EXPECT_EQ(view.storage, (Extents{5 + 6}));
  EXPECT_EQ(view.dims, (Extents{2, 3}));
}

TEST(TensorViewTest, Transposed) {
  const Tensor tensor = Tensor::host(DType::f32, {4, 6});
  const TensorView view = TensorView::of(tensor).transposed();
  EXPECT_EQ(view.dims, (Extents{6, 4}));
  EXPECT_EQ(view.strides, (Extents{1, 6}));
  EXPECT_EQ(view.storage, (Extents{4, 6}));
  EXPECT_EQ(view.text(), "F32 [6, 4] strides [1, 6]");
}

TEST(TensorViewTest, PackedElementsCountTwoToAByte) {
  const Tensor bytes = Tensor::host(DType::u8, {3, 32});
  const TensorView view = TensorView::typed(bytes, DataType::float4_e2m1, {3, 64});
  EXPECT_EQ(view.text(), "E2M1 [3, 64]");
  EXPECT_THROW(TensorView::typed(bytes, DataType::float4_e2m1, {3, 66}), Error);
  EXPECT_THROW(
      TensorView::typed(bytes.slice(1, 2).reshape({32}).slice(1, 32), DataType::float8_e8m0, {31}),
      Error)
      << "an address that 32 does not divide";
}

TEST(TensorViewTest, TypesWithoutANameInCannAreRefused) {
  EXPECT_THROW(data_type(DType::u16), Error);
  EXPECT_EQ(data_type(DType::f8_e8m0), DataType::float8_e8m0);
  EXPECT_EQ(storage_bytes(DataType::float4_e2m1, 7), 4u);
  EXPECT_EQ(storage_bytes(DataType::float32, 7), 28u);
}

TEST(OperatorKeyTest, EqualViewsHaveEqualKeys) {
  const Tensor tensor = Tensor::host(DType::f32, {4, 6});
  EXPECT_EQ(key(TensorView::of(tensor)), key(TensorView::of(tensor)));
  EXPECT_EQ(key(TensorView::none()), key(TensorView::none()));
}

TEST(OperatorKeyTest, EverythingThatMattersChangesTheKey) {
  const Tensor tensor = Tensor::host(DType::f32, {4, 6});
  const Tensor other = Tensor::host(DType::f32, {4, 6});
  const TensorView base = TensorView::of(tensor);
  std::vector<TensorView> views{base,
                                TensorView::of(other),
                                TensorView::of(tensor, {24}),
                                base.transposed(),
                                base.as_format(Format::ncl),
                                TensorView::none()};
  views.push_back(base);
  views.back().dtype = DataType::int32;
  views.push_back(base);
  views.back().offset = 1;
  views.push_back(base);
  views.back().storage = {24};
  std::set<std::string> keys;
  for (const TensorView& view : views) keys.insert(key(view));
  EXPECT_EQ(keys.size(), views.size());
}

TEST(OperatorKeyTest, PlainValues) {
  const ScalarValue one(1.0f), two(2.0f), minus_zero(-0.0f), zero(0.0f);
  const IntArray none, empty(std::vector<int64_t>{}), some{1, 2}, more{1, 2, 3};
  const std::vector<ArgumentRef> arguments{&one,       &two,     &minus_zero,  &zero,
                                           &none,      &empty,   &some,        &more,
                                           Text{},     Text{""}, Text{"rint"}, DataType::float16,
                                           true,       false,    int8_t{1},    int64_t{1},
                                           int64_t{2}, 1.0,      2.0};
  std::set<std::string> keys;
  for (const ArgumentRef& argument : arguments) keys.insert(key(argument));
  EXPECT_EQ(keys.size(), arguments.size());
}

TEST(OperatorKeyTest, Description) {
  const TensorView none;
  const IntArray strides{1, 2};
  const ScalarValue half(0.5f);
  const ArgumentRef arguments[] = {&none, &strides,   &half, Text{"rint"},      int8_t{0},
                                   true,  int64_t{7}, 1e-6,  DataType::bfloat16};
  EXPECT_EQ(describe(arguments), "none, [1, 2], 0.5, rint, 0, true, 7, 1e-06, BF16");
}

}  // namespace
}  // namespace mxdit::ascend

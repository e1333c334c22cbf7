#include "backend/ascend/derived_tensors.h"

#include <gtest/gtest.h>

namespace mxdit::ascend {
namespace {

using Form = DerivedTensors::Form;

TEST(DerivedTensors, FindsByPlaceFormAndShape) {
  DerivedTensors derived;
  const Tensor bias = Tensor::host(DType::f32, {8}), made = Tensor::host(DType::bf16, {8});
  EXPECT_EQ(derived.find(bias, Form::bf16), nullptr);
  derived.keep(bias, Form::bf16, made);
  ASSERT_NE(derived.find(bias, Form::bf16), nullptr);
  EXPECT_EQ(derived.find(bias, Form::bf16)->data(), made.data());
  EXPECT_EQ(derived.find(bias, Form::f16), nullptr);
  EXPECT_EQ(derived.find(bias.reshape({2, 4}), Form::bf16), nullptr);
  EXPECT_EQ(derived.find(bias.slice(1, 8), Form::bf16), nullptr);
}

TEST(DerivedTensors, LetsGoOfWhatWasMadeOfTensorsThatAreGone) {
  DerivedTensors derived;
  const Tensor stays = Tensor::host(DType::f32, {8});
  Tensor goes = Tensor::host(DType::f32, {8});
  const Tensor made = Tensor::host(DType::f32, {16});
  derived.keep(stays, Form::both_of_pair, made);
  derived.keep(goes, Form::both_of_pair, Tensor::host(DType::f32, {16}));
  const std::weak_ptr<const Storage> block = derived.find(goes, Form::both_of_pair)->block();
  derived.drop_expired();
  EXPECT_FALSE(block.expired());
  goes = Tensor();
  derived.drop_expired();
  EXPECT_TRUE(block.expired());
  EXPECT_NE(derived.find(stays, Form::both_of_pair), nullptr);
}

TEST(DerivedTensors, DropsWhatLiesInMemoryThatIsHandedOutAgain) {
  DerivedTensors derived;
  const Tensor block = Tensor::host(DType::f32, {64});
  const Tensor first = block.slice(0, 16), last = block.slice(48, 64);
  derived.keep(first, Form::both_of_pair, Tensor::host(DType::f32, {32}));
  derived.keep(last, Form::f16, Tensor::host(DType::f16, {16}));
  derived.handed_out(block.slice(0, 48));  // up to the last one's first byte
  EXPECT_EQ(derived.find(first, Form::both_of_pair), nullptr);
  EXPECT_NE(derived.find(last, Form::f16), nullptr);
  derived.handed_out(block);
  EXPECT_EQ(derived.find(last, Form::f16), nullptr);
}

TEST(DerivedTensors, ClearLetsGoOfEverything) {
  DerivedTensors derived;
  const Tensor bias = Tensor::host(DType::f32, {8});
  derived.keep(bias, Form::bf16, Tensor::host(DType::bf16, {8}));
  derived.clear();
  EXPECT_EQ(derived.find(bias, Form::bf16), nullptr);
}

}  // namespace
}  // namespace mxdit::ascend

// Tensors, scalars, arrays and lists. Each test is a caller that is wrong in one way.
#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;

class ObjectsTest : public EmulatorTest {
 protected:
  aclTensor* view(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides,
                  int64_t offset, const std::vector<int64_t>& storage,
                  aclDataType dtype = ACL_FLOAT) {
    return aclCreateTensor(shape.data(), shape.size(), dtype, strides.data(), offset, ACL_FORMAT_ND,
                           storage.data(), storage.size(), device_memory(4096));
  }
};

TEST_F(ObjectsTest, AViewMustLieInsideItsStorage) {
  EXPECT_NE(view({2, 3}, {4, 1}, 1, {8}), nullptr);
  EXPECT_EQ(view({2, 3}, {4, 1}, 2, {8}), nullptr);
  EXPECT_THAT(message(),
              HasSubstr("view [2,3] with strides [4,1] and offset 2 leaves the storage [8]"));
  EXPECT_EQ(view({2, 3}, {6, 1}, 0, {8}), nullptr);
  EXPECT_EQ(view({2, 3}, {3, 1}, -1, {8}), nullptr);
  EXPECT_EQ(view({2, 3}, {-3, 1}, 3, {8}), nullptr);
  EXPECT_EQ(view({2, -3}, {3, 1}, 0, {8}), nullptr);
  EXPECT_EQ(view({int64_t{1} << 40, int64_t{1} << 40}, {1, 1}, 0, {8}), nullptr);
}

TEST_F(ObjectsTest, AnUnknownDtypeIsRefused) {
  EXPECT_EQ(view({2}, {1}, 0, {2}, 99), nullptr);
  EXPECT_THAT(message(), HasSubstr("dtype: 99 is unknown"));
}

TEST_F(ObjectsTest, NullDimensionsAreRefused) {
  EXPECT_EQ(aclCreateTensor(nullptr, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, nullptr, 1, nullptr),
            nullptr);
  EXPECT_NE(message(), "");
  EXPECT_EQ(aclCreateIntArray(nullptr, 1), nullptr);
  EXPECT_EQ(aclCreateTensorList(nullptr, 1), nullptr);
  EXPECT_EQ(aclCreateScalar(nullptr, ACL_FLOAT), nullptr);
}

TEST_F(ObjectsTest, AScalarHasAPlainType) {
  float value = 1;
  EXPECT_EQ(aclCreateScalar(&value, ACL_FLOAT4_E2M1), nullptr);
  EXPECT_EQ(aclCreateScalar(&value, ACL_FLOAT8_E8M0), nullptr);
  EXPECT_NE(aclCreateScalar(&value, ACL_BF16), nullptr);
}

TEST_F(ObjectsTest, DestroyingTwiceIsAnError) {
  aclTensor* x = tensor(device_memory(64), {2});
  EXPECT_EQ(aclDestroyTensor(x), 0);
  EXPECT_EQ(aclDestroyTensor(x), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("aclDestroyTensor: destroyed before"));
  float one = 1;
  aclScalar* scalar = aclCreateScalar(&one, ACL_FLOAT);
  EXPECT_EQ(aclDestroyScalar(scalar), 0);
  EXPECT_EQ(aclDestroyScalar(scalar), ACLNN_ERR_PARAM_INVALID);
  const int64_t two = 2;
  aclIntArray* array = aclCreateIntArray(&two, 1);
  EXPECT_EQ(aclDestroyIntArray(array), 0);
  EXPECT_EQ(aclDestroyIntArray(array), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(aclDestroyTensor(nullptr), ACLNN_ERR_PARAM_NULLPTR);
  EXPECT_THAT(broken_rules(), HasSubstr("aclDestroyIntArray"));
}

TEST_F(ObjectsTest, AHandleOfAnotherKindIsRefused) {
  const int64_t two = 2;
  aclIntArray* array = aclCreateIntArray(&two, 1);
  EXPECT_EQ(aclDestroyTensor(reinterpret_cast<aclTensor*>(array)), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(run(kAddOne, reinterpret_cast<aclTensor*>(array), tensor(device_memory(64), {1})),
            ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("x: no tensor"));
}

TEST_F(ObjectsTest, AListOwnsItsMembers) {
  aclTensor* a = tensor(device_memory(64), {2});
  aclTensor* b = tensor(device_memory(64), {2});
  const aclTensor* members[] = {a, b};
  aclTensorList* list = aclCreateTensorList(members, 2);
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(aclCreateTensorList(members, 2), nullptr) << "two owners";
  EXPECT_EQ(aclDestroyTensor(a), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("belongs to a list"));
  EXPECT_EQ(aclDestroyTensorList(list), 0);
  EXPECT_EQ(aclDestroyTensor(b), ACLNN_ERR_PARAM_INVALID) << "the list has destroyed it";
  EXPECT_EQ(aclDestroyTensorList(list), ACLNN_ERR_PARAM_INVALID);
}

TEST_F(ObjectsTest, ATensorDestroyedBeforeTheWorkWasWaitedForIsReported) {
  aclTensor* x = tensor(upload({1}), {1});
  aclTensor* y = tensor(device_memory(4), {1});
  ASSERT_EQ(run(kNoWorkspaceAddOne, x, y), 0);
  EXPECT_EQ(aclDestroyTensor(x), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(),
              HasSubstr("tensor FLOAT[1] destroyed before the work that uses it was waited for"));
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
  EXPECT_THAT(message(), HasSubstr("x: the tensor was destroyed before the kernel ran"));
}

TEST_F(ObjectsTest, ThatTheWorkHasRunIsNoExcuseForDestroyingEarly) {
  set("start", "eager");
  aclTensor* x = tensor(upload({1}), {1});
  void* result = device_memory(4);
  aclTensor* y = tensor(result, {1});
  aclrtStream other = nullptr;
  ASSERT_EQ(aclrtCreateStream(&other), 0);
  ASSERT_EQ(run(kNoWorkspaceAddOne, x, y, other), 0);
  while (download(result, 1)[0] != 2) continue;
  EXPECT_EQ(emulator()->counter("synchronizations"), 0u);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << "of another stream";
  EXPECT_EQ(aclDestroyTensor(x), ACLNN_ERR_PARAM_INVALID);
  EXPECT_EQ(aclrtSynchronizeStream(other), 0);
  EXPECT_EQ(aclDestroyTensor(y), 0);
}

TEST_F(ObjectsTest, ATensorDestroyedBetweenThePhasesIs561101) {
  aclTensor* x = tensor(upload({1}), {1});
  aclTensor* y = tensor(device_memory(4), {1});
  aclOpExecutor* executor = planned(kNoWorkspaceAddOne, x, y);
  EXPECT_EQ(aclDestroyTensor(x), 0);
  EXPECT_EQ(kNoWorkspaceAddOne.launch(nullptr, 0, executor, nullptr),
            ACLNN_ERR_INNER_CREATE_EXECUTOR);
  EXPECT_THAT(message(), HasSubstr("x: the tensor was destroyed between the phases"));
  EXPECT_EQ(run(kNoWorkspaceAddOne, x, y), ACLNN_ERR_PARAM_INVALID);
  EXPECT_THAT(message(), HasSubstr("x: the tensor was destroyed"));
}

}  // namespace
}  // namespace ascend_emulator

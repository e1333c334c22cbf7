// The memory of operands: addresses, overlaps, FRACTAL_NZ. Each test is a caller that is wrong in
// one way.
#include "ascend_emulator/emulator_fixture.h"

namespace ascend_emulator {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

class OperandsTest : public EmulatorTest {
 protected:
  static aclTensor* strided(void* memory, const std::vector<int64_t>& shape,
                            const std::vector<int64_t>& strides, int64_t offset, int64_t storage) {
    return aclCreateTensor(shape.data(), shape.size(), ACL_FLOAT, strides.data(), offset,
                           ACL_FORMAT_ND, &storage, 1, memory);
  }
  static std::string error_of(const TestOperator& op, aclTensor* x, aclTensor* y) {
    EXPECT_EQ(run(op, x, y), ACLNN_ERR_PARAM_INVALID);
    return message();
  }
  // The message of the next synchronization, which must fail.
  static std::string failure() {
    EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION);
    return message();
  }
};

TEST_F(OperandsTest, HostMemoryIsNoTensorData) {
  float host[2] = {1, 2};
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, tensor(host, {2}), tensor(device_memory(8), {2})),
              HasSubstr("x: a host pointer is no tensor data"));
  void* pinned = nullptr;
  ASSERT_EQ(aclrtMallocHost(&pinned, 64), 0);
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, tensor(upload({1}), {1}), tensor(pinned, {1})),
              HasSubstr("y: a host pointer is no tensor data"));
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, tensor(nullptr, {1}), tensor(device_memory(8), {1})),
              HasSubstr("x: the tensor has no memory"));
  EXPECT_THAT(broken_rules(), HasSubstr("a host pointer is no tensor data"));
}

TEST_F(OperandsTest, AnAddressIsAMultipleOf32) {
  auto* memory = static_cast<char*>(device_memory(256));
  aclTensor* y = tensor(device_memory(8), {2});
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, tensor(memory + 16, {2}), y),
              HasSubstr("x: the address is not a multiple of 32 bytes"));
  EXPECT_EQ(run(kNoWorkspaceAddOne, tensor(memory + 32, {2}), y), 0);
}

TEST_F(OperandsTest, TheAllocationHoldsTheStorage) {
  void* memory = device_memory(32);
  aclTensor* y = tensor(device_memory(64), {9});
  EXPECT_THAT(
      error_of(kNoWorkspaceAddOne, tensor(memory, {9}), y),
      HasSubstr(
          "x: storage [9] of FLOAT lies in 36 bytes at offset 0 of an allocation of 32 bytes"));
}

TEST_F(OperandsTest, AnFp4StorageTakesHalfAByteForAnElement) {
  void* memory = device_memory(32);
  void* target = device_memory(32);
  EXPECT_EQ(
      run(kCopy, tensor(memory, {64}, ACL_FLOAT4_E2M1), tensor(target, {64}, ACL_FLOAT4_E2M1)), 0);
  EXPECT_THAT(
      error_of(kCopy, tensor(memory, {66}, ACL_FLOAT4_E2M1), tensor(target, {32}, ACL_INT8)),
      HasSubstr("33 bytes at offset 0 of an allocation of 32 bytes"));
}

TEST_F(OperandsTest, FreedMemoryIsRefusedInPhase1) {
  void* memory = device_memory(32);
  aclTensor* x = tensor(memory, {2});
  ASSERT_EQ(aclrtFree(memory), 0);
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, x, tensor(device_memory(8), {2})),
              HasSubstr("freed memory"));
}

TEST_F(OperandsTest, AnEmptyTensorNeedsNoMemory) {
  EXPECT_EQ(run(kNoWorkspaceAddOne, tensor(nullptr, {0}), tensor(nullptr, {0})), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
}

TEST_F(OperandsTest, AnOutputIsAnInputWholeOrNotAtAll) {
  auto* memory = static_cast<char*>(upload(Values(32, 1)));
  EXPECT_EQ(run(kAddOne, tensor(memory, {16}), tensor(memory, {16})), 0) << "in place";
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, tensor(memory, {16}), tensor(memory, {16})),
              HasSubstr("y: overlaps x"));
  EXPECT_THAT(error_of(kAddOne, tensor(memory, {16}), tensor(memory + 32, {16})),
              HasSubstr("y: overlaps x"));
  EXPECT_EQ(run(kAddOne, tensor(memory, {16}), tensor(memory + 64, {16})), 0) << "side by side";
}

TEST_F(OperandsTest, InterleavedViewsDoNotOverlap) {
  void* memory = upload({1, 10, 2, 20, 3, 30});
  aclTensor* even = strided(memory, {3}, {2}, 0, 6);
  aclTensor* odd = strided(memory, {3}, {2}, 1, 6);
  EXPECT_EQ(run(kNoWorkspaceAddOne, even, odd), 0) << message();
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
  EXPECT_EQ(download(memory, 6), (Values{1, 2, 2, 3, 3, 4}));
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, strided(memory, {3}, {1}, 0, 6), odd),
              HasSubstr("y: overlaps x"));
}

TEST_F(OperandsTest, AnOutputHasDistinctElements) {
  void* memory = device_memory(64);
  aclTensor* x = tensor(upload({1, 2, 3, 4}), {2, 2});
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, x, strided(memory, {2, 2}, {0, 1}, 0, 4)),
              HasSubstr("y: expected an output whose elements are distinct, got strides [0,1]"));
  EXPECT_THAT(error_of(kNoWorkspaceAddOne, x, strided(memory, {2, 2}, {1, 1}, 0, 4)),
              HasSubstr("distinct"));
  EXPECT_EQ(run(kNoWorkspaceAddOne, x, strided(memory, {2, 2}, {1, 2}, 0, 4)), 0)
      << "a transposed view";
  EXPECT_EQ(run(kNoWorkspaceAddOne, strided(upload({1}), {2, 2}, {0, 0}, 0, 1), x), 0)
      << "an input may";
}

TEST_F(OperandsTest, AWriteOutsideOfTheOutputIsSeen) {
  void* memory = upload(Values(8, 0));
  ASSERT_EQ(run(kWritesBeyond, tensor(upload({1, 2}), {2}), strided(memory, {2}, {1}, 0, 8)), 0);
  EXPECT_THAT(failure(), HasSubstr("y: bytes outside of its view were written"));
}

TEST_F(OperandsTest, AWriteIntoTheGapsOfAStridedOutputIsSeen) {
  void* memory = upload(Values(8, 0));
  // Element 1 + 1 counts on in the last row: index 2 of rows of 2 is the gap behind it.
  ASSERT_EQ(run(kWritesBeyond, tensor(upload({1, 2, 3, 4}), {2, 2}),
                strided(memory, {2, 2}, {1, 3}, 0, 8)),
            0);
  EXPECT_THAT(failure(), HasSubstr("y: bytes outside of its view were written"));
}

TEST_F(OperandsTest, AStridedOutputLeavesItsGapsAlone) {
  void* memory = upload(Values(8, 9));
  ASSERT_EQ(run(kNoWorkspaceAddOne, tensor(upload({1, 2, 3, 4}), {2, 2}),
                strided(memory, {2, 2}, {4, 1}, 1, 8)),
            0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
  EXPECT_EQ(download(memory, 8), (Values{9, 2, 3, 9, 9, 4, 5, 9}));
}

class NzTest : public OperandsTest {
 protected:
  static constexpr int64_t kStorage[] = {1, 1, 16, 16};
  // A [16,16] BF16 matrix in FRACTAL_NZ.
  static aclTensor* nz(void* memory) {
    const int64_t shape[] = {16, 16};
    return aclCreateTensor(shape, 2, ACL_BF16, nullptr, 0, ACL_FORMAT_FRACTAL_NZ, kStorage, 4,
                           memory);
  }
  static aclTensor* nd(void* memory) { return tensor(memory, {16, 16}, ACL_BF16); }
  static void* written_nz() {
    void* source = device_memory(512);
    EXPECT_EQ(aclrtMemset(source, 512, 0, 512), 0);
    void* memory = device_memory(512);
    EXPECT_EQ(run(kToNz, nd(source), nz(memory)), 0);
    EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0);
    return memory;
  }
};

TEST_F(NzTest, NzBytesAreReadAsNz) {
  void* memory = written_nz();
  EXPECT_EQ(run(kCopy, nz(memory), nd(device_memory(512))), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
}

TEST_F(NzTest, NzBytesReadAsNdFail) {
  void* memory = written_nz();
  ASSERT_EQ(run(kCopy, nd(memory), nd(device_memory(512))), 0);
  EXPECT_THAT(failure(), HasSubstr("x: FRACTAL_NZ bytes are read as ND"));
  EXPECT_THAT(broken_rules(), HasSubstr("FRACTAL_NZ bytes are read as ND"));
}

TEST_F(NzTest, NzBytesReadAsPartOfALargerTensorFail) {
  auto* memory = static_cast<char*>(device_memory(1024));
  ASSERT_EQ(run(kToNz, nd(upload(Values(128, 0))), nz(memory + 512)), 0);
  ASSERT_EQ(run(kCopy, tensor(memory, {32, 16}, ACL_BF16),
                tensor(device_memory(1024), {32, 16}, ACL_BF16)),
            0);
  EXPECT_THAT(failure(), HasSubstr("x: FRACTAL_NZ bytes are read as ND"));
}

TEST_F(NzTest, NdBytesReadAsNzFail) {
  void* memory = upload(Values(128, 0));
  ASSERT_EQ(run(kCopy, nz(memory), nd(device_memory(512))), 0);
  EXPECT_THAT(failure(), HasSubstr("x: the bytes are not FRACTAL_NZ of storage [1,1,16,16]"));
}

TEST_F(NzTest, HostPermutedBytesAreNzOnlyWhenAskedFor) {
  set("host_nz", "1");
  void* memory = upload(Values(128, 0));
  ASSERT_EQ(run(kCopy, nz(memory), nd(device_memory(512))), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
}

TEST_F(NzTest, NzOfAnotherGeometryFails) {
  void* memory = written_nz();
  const int64_t shape[] = {16, 16};
  const int64_t storage[] = {1, 1, 16, 32};
  aclTensor* other =
      aclCreateTensor(shape, 2, ACL_INT8, nullptr, 0, ACL_FORMAT_FRACTAL_NZ, storage, 4, memory);
  ASSERT_EQ(run(kCopy, other, nd(device_memory(512))), 0);
  EXPECT_THAT(failure(), HasSubstr("x: the bytes are not FRACTAL_NZ of storage [1,1,16,32]"));
}

TEST_F(NzTest, NzOfAnotherC0Fails) {
  void* memory = written_nz();
  const int64_t shape[] = {16, 16};
  const int64_t storage[] = {2, 1, 16, 8};
  aclTensor* other = aclCreateTensor(shape, 2, ACL_BF16, nullptr, 0, ACL_FORMAT_FRACTAL_NZ_C0_8,
                                     storage, 4, memory);
  ASSERT_EQ(run(kCopy, other, nd(device_memory(512))), 0);
  EXPECT_THAT(failure(), HasSubstr("x: the bytes are not FRACTAL_NZ of storage [2,1,16,8]"));
}

TEST_F(NzTest, OnlyFormatCastWritesNz) {
  EXPECT_THAT(error_of(kCopy, nd(upload(Values(128, 0))), nz(device_memory(512))),
              HasSubstr("y: only NpuFormatCast writes FRACTAL_NZ"));
}

TEST_F(NzTest, AHostCopyOverNzBytesMakesThemNd) {
  void* memory = written_nz();
  const char host[4] = {};
  ASSERT_EQ(aclrtMemcpy(memory, 4, host, 4, ACL_MEMCPY_HOST_TO_DEVICE), 0);
  ASSERT_EQ(run(kCopy, nz(memory), nd(device_memory(512))), 0);
  EXPECT_THAT(failure(), HasSubstr("not FRACTAL_NZ"));
}

TEST_F(NzTest, AFillOverNzBytesMakesThemNd) {
  void* memory = written_nz();
  ASSERT_EQ(aclrtMemset(memory, 512, 0, 512), 0);
  EXPECT_EQ(run(kCopy, nd(memory), nd(device_memory(512))), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
}

TEST_F(NzTest, ADeviceCopyOfAllNzBytesIsNz) {
  void* memory = written_nz();
  void* whole = device_memory(512);
  void* part = device_memory(512);
  ASSERT_EQ(aclrtMemcpy(whole, 512, memory, 512, ACL_MEMCPY_DEVICE_TO_DEVICE), 0);
  ASSERT_EQ(aclrtMemcpy(part, 512, memory, 480, ACL_MEMCPY_DEVICE_TO_DEVICE), 0);
  EXPECT_EQ(run(kCopy, nz(whole), nd(device_memory(512))), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
  ASSERT_EQ(run(kCopy, nz(part), nd(device_memory(512))), 0);
  EXPECT_THAT(failure(), HasSubstr("not FRACTAL_NZ"));
}

TEST_F(NzTest, AKernelThatWritesOverNzBytesMakesThemNd) {
  void* memory = written_nz();
  EXPECT_EQ(run(kCopy, nd(upload(Values(128, 0))), nd(memory)), 0);
  EXPECT_EQ(run(kCopy, nd(memory), nd(device_memory(512))), 0);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), 0) << message();
}

}  // namespace
}  // namespace ascend_emulator

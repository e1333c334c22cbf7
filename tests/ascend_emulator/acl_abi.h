// CANN's C interface as an application sees it: types, values and functions of libacl_rt.so and
// libnnopbase.so. Handles are opaque here, and no address: whoever dereferences one faults.
// The operators' functions are in aclnn_abi.h.
#pragma once

#include <cstddef>
#include <cstdint>

#define ACL_EXPORT __attribute__((visibility("default")))

extern "C" {

typedef int aclError;
typedef int aclnnStatus;
typedef void* aclrtContext;
typedef void* aclrtStream;
typedef void* aclrtEvent;
typedef struct aclTensor aclTensor;
typedef struct aclScalar aclScalar;
typedef struct aclIntArray aclIntArray;
typedef struct aclTensorList aclTensorList;
typedef struct aclOpExecutor aclOpExecutor;

// C enumerations; plain int here, so that a value outside of the list is a value, not undefined.
typedef int aclDataType;
typedef int aclFormat;
typedef int aclrtMemMallocPolicy;
typedef int aclrtMemcpyKind;
typedef int aclrtMemAttr;

enum : int {
  ACL_FLOAT = 0,
  ACL_FLOAT16 = 1,
  ACL_INT8 = 2,
  ACL_INT32 = 3,
  ACL_UINT8 = 4,
  ACL_INT64 = 9,
  ACL_DOUBLE = 11,
  ACL_BOOL = 12,
  ACL_BF16 = 27,
  ACL_INT4 = 29,
  ACL_HIFLOAT8 = 34,
  ACL_FLOAT8_E5M2 = 35,
  ACL_FLOAT8_E4M3FN = 36,
  ACL_FLOAT8_E8M0 = 37,
  ACL_FLOAT4_E2M1 = 40,
  ACL_FLOAT4_E1M2 = 41,
};

enum : int {
  ACL_FORMAT_NCHW = 0,
  ACL_FORMAT_NHWC = 1,
  ACL_FORMAT_ND = 2,
  ACL_FORMAT_NDHWC = 27,
  ACL_FORMAT_FRACTAL_NZ = 29,
  ACL_FORMAT_NCDHW = 30,
  ACL_FORMAT_NCL = 47,
  ACL_FORMAT_FRACTAL_NZ_C0_16 = 50,
  ACL_FORMAT_FRACTAL_NZ_C0_32 = 51,
  ACL_FORMAT_FRACTAL_NZ_C0_2 = 52,
  ACL_FORMAT_FRACTAL_NZ_C0_4 = 53,
  ACL_FORMAT_FRACTAL_NZ_C0_8 = 54,
};

enum : int {
  ACL_MEM_MALLOC_HUGE_FIRST = 0,
  ACL_MEM_MALLOC_HUGE_ONLY = 1,
  ACL_MEM_MALLOC_NORMAL_ONLY = 2
};
enum : int {
  ACL_MEMCPY_HOST_TO_HOST = 0,
  ACL_MEMCPY_HOST_TO_DEVICE = 1,
  ACL_MEMCPY_DEVICE_TO_HOST = 2,
  ACL_MEMCPY_DEVICE_TO_DEVICE = 3,
  ACL_MEMCPY_DEFAULT = 4,
};
enum : int { ACL_DDR_MEM = 0, ACL_HBM_MEM = 1 };

enum : int {
  ACL_SUCCESS = 0,
  ACL_ERROR_INVALID_PARAM = 100000,
  ACL_ERROR_UNINITIALIZE = 100001,
  ACL_ERROR_REPEAT_INITIALIZE = 100002,
  ACL_ERROR_REPEAT_FINALIZE = 100037,
  ACL_ERROR_RT_PARAM_INVALID = 107000,
  ACL_ERROR_RT_INVALID_DEVICEID = 107001,
  ACL_ERROR_RT_CONTEXT_NULL = 107002,
  ACL_ERROR_RT_STREAM_CONTEXT = 107003,
  ACL_ERROR_RT_INVALID_HANDLE = 107017,
  ACL_ERROR_RT_FEATURE_NOT_SUPPORT = 207000,
  ACL_ERROR_RT_MEMORY_ALLOCATION = 207001,
  ACL_ERROR_RT_STREAM_RESOURCE = 207008,
  ACL_ERROR_INTERNAL_ERROR = 500000,
  ACL_ERROR_RT_AICORE_EXCEPTION = 507015,
  ACL_ERROR_RT_VECTOR_CORE_EXCEPTION = 507035,
};

enum : int {
  ACLNN_SUCCESS = 0,
  ACLNN_ERR_PARAM_NULLPTR = 161001,
  ACLNN_ERR_PARAM_INVALID = 161002,
  ACLNN_ERR_RUNTIME_ERROR = 361001,
  ACLNN_ERR_INNER = 561000,
  ACLNN_ERR_INNER_TILING_ERROR = 561002,
  ACLNN_ERR_INNER_FIND_KERNEL_ERROR = 561003,
  ACLNN_ERR_INNER_CREATE_EXECUTOR = 561101,
  ACLNN_ERR_INNER_NULLPTR = 561103,
  ACLNN_ERR_INNER_OPP_KERNEL_PKG_NOT_FOUND = 561112,
};

// libacl_rt.so
ACL_EXPORT aclError aclInit(const char* config_path);
ACL_EXPORT aclError aclFinalize();
ACL_EXPORT const char* aclGetRecentErrMsg();
ACL_EXPORT const char* aclrtGetSocName();
ACL_EXPORT aclError aclrtGetDeviceCount(uint32_t* count);
ACL_EXPORT aclError aclrtSetDevice(int32_t device);
ACL_EXPORT aclError aclrtResetDevice(int32_t device);
ACL_EXPORT aclError aclrtGetDevice(int32_t* device);
ACL_EXPORT aclError aclrtCreateContext(aclrtContext* context, int32_t device);
ACL_EXPORT aclError aclrtDestroyContext(aclrtContext context);
ACL_EXPORT aclError aclrtSetCurrentContext(aclrtContext context);
ACL_EXPORT aclError aclrtCreateStream(aclrtStream* stream);
ACL_EXPORT aclError aclrtDestroyStream(aclrtStream stream);
ACL_EXPORT aclError aclrtSynchronizeStream(aclrtStream stream);
ACL_EXPORT aclError aclrtSynchronizeDevice();
ACL_EXPORT aclError aclrtCreateEvent(aclrtEvent* event);
ACL_EXPORT aclError aclrtDestroyEvent(aclrtEvent event);
ACL_EXPORT aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream);
ACL_EXPORT aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event);
ACL_EXPORT aclError aclrtSynchronizeEvent(aclrtEvent event);
ACL_EXPORT aclError aclrtEventElapsedTime(float* milliseconds, aclrtEvent start, aclrtEvent end);
ACL_EXPORT aclError aclrtMalloc(void** pointer, size_t size, aclrtMemMallocPolicy policy);
ACL_EXPORT aclError aclrtFree(void* pointer);
ACL_EXPORT aclError aclrtMallocHost(void** pointer, size_t size);
ACL_EXPORT aclError aclrtFreeHost(void* pointer);
ACL_EXPORT aclError aclrtMemcpy(void* dst, size_t dst_max, const void* src, size_t count,
                                aclrtMemcpyKind kind);
ACL_EXPORT aclError aclrtMemcpyAsync(void* dst, size_t dst_max, const void* src, size_t count,
                                     aclrtMemcpyKind kind, aclrtStream stream);
ACL_EXPORT aclError aclrtMemset(void* pointer, size_t max, int32_t value, size_t count);
ACL_EXPORT aclError aclrtMemsetAsync(void* pointer, size_t max, int32_t value, size_t count,
                                     aclrtStream stream);
ACL_EXPORT aclError aclrtGetMemInfo(aclrtMemAttr attribute, size_t* free, size_t* total);

// libnnopbase.so
ACL_EXPORT aclnnStatus aclnnInit(const char* config_path);
ACL_EXPORT aclnnStatus aclnnFinalize();
ACL_EXPORT aclTensor* aclCreateTensor(const int64_t* view_dims, uint64_t view_rank,
                                      aclDataType dtype, const int64_t* strides, int64_t offset,
                                      aclFormat format, const int64_t* storage_dims,
                                      uint64_t storage_rank, void* device_pointer);
ACL_EXPORT aclScalar* aclCreateScalar(void* value, aclDataType dtype);
ACL_EXPORT aclIntArray* aclCreateIntArray(const int64_t* values, uint64_t size);
ACL_EXPORT aclTensorList* aclCreateTensorList(const aclTensor* const* tensors, uint64_t size);
ACL_EXPORT aclnnStatus aclDestroyTensor(const aclTensor* tensor);
ACL_EXPORT aclnnStatus aclDestroyScalar(const aclScalar* scalar);
ACL_EXPORT aclnnStatus aclDestroyIntArray(const aclIntArray* array);
ACL_EXPORT aclnnStatus aclDestroyTensorList(const aclTensorList* list);
ACL_EXPORT aclnnStatus aclSetAclOpExecutorRepeatable(aclOpExecutor* executor);
ACL_EXPORT aclnnStatus aclDestroyAclOpExecutor(aclOpExecutor* executor);

}  // extern "C"

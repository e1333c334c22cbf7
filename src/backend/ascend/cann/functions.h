// The functions of CANN that are no operators, by their C signatures.
#pragma once

#include <cstddef>

#include "backend/ascend/cann/abi.h"

namespace mxdit::ascend::cann {

// X(member, symbol, result, parameters), by library: the runtime's, then those of aclnn's objects.
#define MXDIT_CANN_RUNTIME_FUNCTIONS(X)                                               \
  X(initialize, aclInit, Status, (const char*))                                       \
  X(finalize, aclFinalize, Status, ())                                                \
  X(recent_error, aclGetRecentErrMsg, const char*, ())                                \
  X(soc_name, aclrtGetSocName, const char*, ())                                       \
  X(device_count, aclrtGetDeviceCount, Status, (uint32_t*))                           \
  X(set_device, aclrtSetDevice, Status, (int32_t))                                    \
  X(reset_device, aclrtResetDevice, Status, (int32_t))                                \
  X(create_context, aclrtCreateContext, Status, (Context*, int32_t))                  \
  X(destroy_context, aclrtDestroyContext, Status, (Context))                          \
  X(set_current_context, aclrtSetCurrentContext, Status, (Context))                   \
  X(create_stream, aclrtCreateStream, Status, (Stream*))                              \
  X(destroy_stream, aclrtDestroyStream, Status, (Stream))                             \
  X(synchronize_stream, aclrtSynchronizeStream, Status, (Stream))                     \
  X(malloc, aclrtMalloc, Status, (void**, size_t, MallocPolicy))                      \
  X(free, aclrtFree, Status, (void*))                                                 \
  X(malloc_host, aclrtMallocHost, Status, (void**, size_t))                           \
  X(free_host, aclrtFreeHost, Status, (void*))                                        \
  X(memcpy, aclrtMemcpy, Status, (void*, size_t, const void*, size_t, CopyKind))      \
  X(memcpy_async, aclrtMemcpyAsync, Status,                                           \
    (void*, size_t, const void*, size_t, CopyKind, Stream))                           \
  X(memset_async, aclrtMemsetAsync, Status, (void*, size_t, int32_t, size_t, Stream)) \
  X(memory_info, aclrtGetMemInfo, Status, (MemoryAttribute, size_t*, size_t*))

#define MXDIT_CANN_OBJECT_FUNCTIONS(X)                                                    \
  X(create_tensor, aclCreateTensor, AclTensor*,                                           \
    (const int64_t*, uint64_t, DataType, const int64_t*, int64_t, Format, const int64_t*, \
     uint64_t, void*))                                                                    \
  X(destroy_tensor, aclDestroyTensor, Status, (const AclTensor*))                         \
  X(create_scalar, aclCreateScalar, AclScalar*, (void*, DataType))                        \
  X(destroy_scalar, aclDestroyScalar, Status, (const AclScalar*))                         \
  X(create_int_array, aclCreateIntArray, AclIntArray*, (const int64_t*, uint64_t))        \
  X(destroy_int_array, aclDestroyIntArray, Status, (const AclIntArray*))                  \
  X(set_repeatable, aclSetAclOpExecutorRepeatable, Status, (AclOpExecutor*))              \
  X(destroy_executor, aclDestroyAclOpExecutor, Status, (AclOpExecutor*))

#define MXDIT_CANN_DECLARE(member, symbol, result, parameters) result(*member) parameters = nullptr;
struct Functions {
  MXDIT_CANN_RUNTIME_FUNCTIONS(MXDIT_CANN_DECLARE)
  MXDIT_CANN_OBJECT_FUNCTIONS(MXDIT_CANN_DECLARE)

  // aclnnNpuFormatCastCalculateSizeAndFormat: a direct call; null where the library lacks it.
  // `dims` is an array made by new[] that the caller owns.
  Status (*format_cast_size)(const AclTensor* source, int format, int additional_dtype,
                             int64_t** dims, uint64_t* rank, int* actual_format) = nullptr;
};
#undef MXDIT_CANN_DECLARE

}  // namespace mxdit::ascend::cann

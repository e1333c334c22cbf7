// The C interface of CANN, as far as mxdit uses it: own declarations, so that nothing of CANN is
// needed to build. Values and layouts are those of CANN 9's include/acl and include/aclnn.
//
// Handles are pointers to types that only CANN knows. Every function returns a Status; 0 is
// success.
#pragma once

#include <cstdint>

namespace mxdit::ascend::cann {

using Status = int32_t;  // aclError, aclnnStatus
using Context = void*;   // aclrtContext
using Stream = void*;    // aclrtStream
using Event = void*;     // aclrtEvent

struct AclTensor;
struct AclScalar;
struct AclIntArray;
struct AclOpExecutor;

enum class DataType : int32_t {
  float32 = 0,
  float16 = 1,
  int8 = 2,
  int32 = 3,
  uint8 = 4,
  int64 = 9,
  float64 = 11,
  boolean = 12,
  bfloat16 = 27,
  int4 = 29,
  hifloat8 = 34,
  float8_e5m2 = 35,
  float8_e4m3fn = 36,
  float8_e8m0 = 37,
  float4_e2m1 = 40,
  float4_e1m2 = 41,
};

enum class Format : int32_t {
  nchw = 0,
  nhwc = 1,
  nd = 2,
  ndhwc = 27,
  fractal_nz = 29,
  ncdhw = 30,
  ncl = 47,
};

enum class MallocPolicy : int32_t { huge_first = 0, huge_only = 1, normal_only = 2 };

enum class CopyKind : int32_t {
  host_to_host = 0,
  host_to_device = 1,
  device_to_host = 2,
  device_to_device = 3,
};

enum class MemoryAttribute : int32_t { ddr = 0, hbm = 1 };

// The states that mxdit tells apart; every other one is an error with its number.
inline constexpr Status kSuccess = 0;
inline constexpr Status kRepeatedInitialize = 100002;
inline constexpr Status kOutOfMemory = 207001;
inline constexpr Status kAiCoreException = 507015;
inline constexpr Status kVectorCoreException = 507035;

// Second phase of every operator.
using LaunchFunction = Status (*)(void* workspace, uint64_t bytes, AclOpExecutor*, Stream);

}  // namespace mxdit::ascend::cann

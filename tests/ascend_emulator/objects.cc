#include "ascend_emulator/objects.h"

#include <algorithm>

namespace ascend_emulator {

namespace {

struct DtypeFacts {
  aclDataType dtype;
  int bits;
  const char* name;
};

constexpr DtypeFacts kDtypes[] = {
    {ACL_FLOAT, 32, "FLOAT"},
    {ACL_FLOAT16, 16, "FLOAT16"},
    {ACL_INT8, 8, "INT8"},
    {ACL_INT32, 32, "INT32"},
    {ACL_UINT8, 8, "UINT8"},
    {ACL_INT64, 64, "INT64"},
    {ACL_DOUBLE, 64, "DOUBLE"},
    {ACL_BOOL, 8, "BOOL"},
    {ACL_BF16, 16, "BF16"},
    {ACL_INT4, 4, "INT4"},
    {ACL_HIFLOAT8, 8, "HIFLOAT8"},
    {ACL_FLOAT8_E5M2, 8, "FLOAT8_E5M2"},
    {ACL_FLOAT8_E4M3FN, 8, "FLOAT8_E4M3FN"},
    {ACL_FLOAT8_E8M0, 8, "FLOAT8_E8M0"},
    {ACL_FLOAT4_E2M1, 4, "FLOAT4_E2M1"},
    {ACL_FLOAT4_E1M2, 4, "FLOAT4_E1M2"},
};

const DtypeFacts* facts_of(aclDataType dtype) {
  const auto* found = std::ranges::find(kDtypes, dtype, &DtypeFacts::dtype);
  return found == std::end(kDtypes) ? nullptr : found;
}

template <class T>
double read_as_double(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return static_cast<double>(value);
}

// 16-bit floats by their fields; the mantissa has no place that a double lacks.
double read_float16(const std::byte* bytes) {
  uint16_t code;
  std::memcpy(&code, bytes, sizeof(code));
  const uint32_t exponent = (code >> 10) & 31;
  const uint32_t mantissa = code & 1023;
  const uint64_t sign = static_cast<uint64_t>(code >> 15) << 63;
  uint64_t wide = 0;
  if (exponent == 31) {
    wide = (0x7FFull << 52) | (static_cast<uint64_t>(mantissa) << 42);
  } else if (exponent != 0) {
    wide = (static_cast<uint64_t>(exponent + 1023 - 15) << 52) |
           (static_cast<uint64_t>(mantissa) << 42);
  } else {
    const double small = static_cast<double>(mantissa) / (1 << 24);
    std::memcpy(&wide, &small, sizeof(wide));
  }
  wide |= sign;
  double value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

double read_bfloat16(const std::byte* bytes) {
  uint16_t code;
  std::memcpy(&code, bytes, sizeof(code));
  const uint32_t wide = static_cast<uint32_t>(code) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

}  // namespace

int bits_per_element(aclDataType dtype) {
  const DtypeFacts* facts = facts_of(dtype);
  return facts ? facts->bits : 0;
}

std::string dtype_name(aclDataType dtype) {
  const DtypeFacts* facts = facts_of(dtype);
  return facts ? facts->name : "dtype " + std::to_string(dtype);
}

bool is_nz(aclFormat format) {
  return format == ACL_FORMAT_FRACTAL_NZ ||
         (format >= ACL_FORMAT_FRACTAL_NZ_C0_16 && format <= ACL_FORMAT_FRACTAL_NZ_C0_8);
}

int64_t element_count(const Dims& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

Dims contiguous_strides(const Dims& shape) {
  Dims strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

std::string to_text(const Dims& shape) {
  std::string text = "[";
  for (const int64_t extent : shape) {
    if (text.size() > 1) text += ',';
    text += std::to_string(extent);
  }
  return text + "]";
}

bool Tensor::contiguous() const {
  if (is_nz(format)) return true;
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != stride) return false;
    stride *= shape[i];
  }
  return true;
}

uint64_t Tensor::storage_bytes() const {
  return (static_cast<uint64_t>(element_count(storage_shape)) * bits_per_element(dtype) + 7) / 8;
}

uint64_t Tensor::view_begin() const {
  if (is_nz(format)) return 0;
  return static_cast<uint64_t>(offset) * bits_per_element(dtype) / 8;
}

uint64_t Tensor::view_end() const {
  if (is_nz(format)) return storage_bytes();
  if (elements() == 0) return view_begin();
  int64_t last = offset;
  for (size_t i = 0; i < shape.size(); ++i) last += (shape[i] - 1) * strides[i];
  return (static_cast<uint64_t>(last + 1) * bits_per_element(dtype) + 7) / 8;
}

double Scalar::as_double() const {
  switch (dtype) {
    case ACL_FLOAT:
      return read_as_double<float>(bytes);
    case ACL_DOUBLE:
      return read_as_double<double>(bytes);
    case ACL_FLOAT16:
      return read_float16(bytes);
    case ACL_BF16:
      return read_bfloat16(bytes);
    case ACL_INT8:
      return read_as_double<int8_t>(bytes);
    case ACL_INT32:
      return read_as_double<int32_t>(bytes);
    case ACL_INT64:
      return read_as_double<int64_t>(bytes);
    case ACL_UINT8:
    case ACL_BOOL:
      return read_as_double<uint8_t>(bytes);
    default:
      return 0;  // aclCreateScalar refuses other types
  }
}

}  // namespace ascend_emulator

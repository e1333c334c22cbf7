// What the handles of libnnopbase.so stand for. Handles are numbers that are never used twice, so
// that one that was destroyed is told from one that never was; none is an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ascend_emulator/acl_abi.h"

namespace ascend_emulator {

using Dims = std::vector<int64_t>;

// 0 for what the emulator does not know.
int bits_per_element(aclDataType dtype);
std::string dtype_name(aclDataType dtype);
bool is_nz(aclFormat format);
int64_t element_count(const Dims& shape);
// Row-major strides in elements.
Dims contiguous_strides(const Dims& shape);
std::string to_text(const Dims& shape);

// A description: the memory is the caller's. All counts are elements, of fp4 too.
struct Tensor {
  aclDataType dtype = ACL_FLOAT;
  aclFormat format = ACL_FORMAT_ND;
  Dims shape;
  Dims strides;
  int64_t offset = 0;  // of the view's first element in the storage
  Dims storage_shape;
  void* address = nullptr;  // device address of the storage

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  int64_t elements() const { return element_count(shape); }
  // NZ always counts as contiguous: its view says nothing of where elements lie.
  bool contiguous() const;
  // Bytes of the whole storage; fp4 takes half a byte for an element.
  uint64_t storage_bytes() const;
  // The bytes [begin, end) of the storage that the view can touch; all of it for NZ.
  uint64_t view_begin() const;
  uint64_t view_end() const;
};

struct Scalar {
  aclDataType dtype = ACL_FLOAT;
  std::byte bytes[8] = {};

  // The value widened; integers above 2^53 lose bits.
  double as_double() const;
};

}  // namespace ascend_emulator

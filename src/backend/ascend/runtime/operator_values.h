// Arguments of operators as values: what acl's objects are made of, and what a cached executor is
// found by.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "backend/ascend/cann/abi.h"
#include "core/tensor.h"

namespace mxdit::ascend {

using cann::DataType;
using cann::Format;

// The type of a tensor's elements for CANN. Error{unsupported} for those it has no name for.
DataType data_type(DType dtype);
// "BF16"; "E2M1" etc. for those that no Tensor has.
const char* name(DataType type) noexcept;
// Bytes of `elements` elements; 4-bit ones are packed in pairs.
size_t storage_bytes(DataType type, int64_t elements) noexcept;

// Up to 8 extents or strides, without memory of their own.
class Extents {
 public:
  static constexpr int kMost = 8;
  Extents() = default;
  Extents(std::initializer_list<int64_t> values) : Extents(std::span(values)) {}
  explicit Extents(std::span<const int64_t> values);
  explicit Extents(const Shape& shape) : Extents(std::span<const int64_t>(shape.dims())) {}

  int rank() const noexcept { return rank_; }
  int64_t operator[](int axis) const noexcept { return values_[static_cast<size_t>(axis)]; }
  const int64_t* data() const noexcept { return values_.data(); }
  int64_t elements() const noexcept;  // product
  Extents contiguous_strides() const noexcept;
  bool operator==(const Extents&) const = default;

 private:
  int rank_ = 0;
  std::array<int64_t, kMost> values_{};
};

// A view of device memory. All counts are of elements (two to a byte for 4-bit types). The memory
// has to live until the operator is queued; the stream's order does the rest.
struct TensorView {
  // A null argument.
  static TensorView none() { return {}; }
  // All of a device tensor, ND, contiguous. A tensor that starts at an odd place (a slice) is
  // described by the 32-byte boundary before it and an offset, as the address has to be aligned.
  static TensorView of(const Tensor& tensor);
  // The same elements with other extents.
  static TensorView of(const Tensor& tensor, const Extents& dims);
  // Elements offset + sum(index * stride) of the tensor. No stride may be negative.
  static TensorView strided(const Tensor& tensor, int64_t offset, const Extents& dims,
                            const Extents& strides);
  // A tensor's bytes as another type, for instance packed fp4: `dims` count that type's elements.
  // The tensor's address has to be 32-byte aligned.
  static TensorView typed(const Tensor& bytes, DataType dtype, const Extents& dims);
  // The same in another layout with its own storage extents (FRACTAL_NZ: [C/C0, R/16, 16, C0]).
  static TensorView laid_out(const Tensor& bytes, DataType dtype, const Extents& dims,
                             Format format, const Extents& storage);

  // The same view as another format that does not move elements (NCDHW, NCL).
  TensorView as_format(Format other) const;
  // The last two axes exchanged: [N, K] read as [K, N].
  TensorView transposed() const;

  bool is_none() const noexcept { return data == nullptr; }
  std::string text() const;  // "BF16 [1, 2]", "E2M1 [3, 4] strides [1, 4]", "none"

  DataType dtype = DataType::float32;
  Format format = Format::nd;
  Extents dims, strides;
  int64_t offset = 0;
  Extents storage;
  void* data = nullptr;  // 32-byte aligned
};

// aclScalar.
struct ScalarValue {
  explicit ScalarValue(float number) : value(number) {}
  float value;
};

// aclIntArray; none() is a null argument.
struct IntArray {
  IntArray() = default;
  IntArray(std::initializer_list<int64_t> list) : values(list), given(true) {}
  explicit IntArray(std::vector<int64_t> list) : values(std::move(list)), given(true) {}
  static IntArray none() { return {}; }

  std::vector<int64_t> values;
  bool given = false;
};

// char*; null is a null argument. A literal: it has to outlive all calls.
struct Text {
  const char* text = nullptr;
};

using ArgumentRef = std::variant<const TensorView*, const ScalarValue*, const IntArray*, Text,
                                 DataType, bool, int8_t, int64_t, double>;

// Bytes that are equal exactly when all arguments are, addresses included.
void append_key(std::string& key, const ArgumentRef& argument);
// For messages: "BF16 [2, 4], none, 512".
std::string describe(std::span<const ArgumentRef> arguments);
// The memory of every tensor among them.
std::vector<const void*> addresses(std::span<const ArgumentRef> arguments);

}  // namespace mxdit::ascend

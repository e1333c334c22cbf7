// A contiguous tensor: element type, shape, and a shared block of memory.
//
// Copying a Tensor shares the block. The block is host memory, a file mapping, or memory of a
// device; only code of the owning back end may look at the bytes of a device block. Blocks of file
// mappings are read-only: writing to them is a defect.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"

namespace mxdit {

// A block of memory with the way to give it back.
class Storage {
 public:
  Storage(void* data, size_t bytes, std::function<void()> release)
      : data_(data), bytes_(bytes), release_(std::move(release)) {}
  ~Storage() {
    if (release_) release_();
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const noexcept { return data_; }
  size_t bytes() const noexcept { return bytes_; }

 private:
  void* data_;
  size_t bytes_;
  std::function<void()> release_;
};

class Tensor {
 public:
  Tensor() = default;
  // A view of `storage` from `offset` bytes on. A view that leaves the block is a defect.
  Tensor(DType dtype, Shape shape, std::shared_ptr<Storage> storage, size_t offset = 0);

  // Uninitialised host memory, 64-byte aligned. Throws Error{out_of_memory}.
  static Tensor host(DType dtype, const Shape& shape);

  bool defined() const noexcept { return storage_ != nullptr; }
  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int64_t dim(int axis) const { return shape_[axis]; }
  int64_t elements() const noexcept { return elements_; }
  size_t bytes() const noexcept { return static_cast<size_t>(elements_) * element_size(dtype_); }

  // Expires when the last tensor over the block is gone.
  std::weak_ptr<const Storage> block() const noexcept { return storage_; }

  const void* data() const noexcept { return pointer_; }
  void* mutable_data() noexcept { return pointer_; }
  // Typed access; the element size has to agree.
  template <typename T>
  const T* as() const {
    MXDIT_CHECK(sizeof(T) == element_size(dtype_), "[core] tensor access: wrong element size");
    return static_cast<const T*>(pointer_);
  }
  template <typename T>
  T* as_mutable() {
    MXDIT_CHECK(sizeof(T) == element_size(dtype_), "[core] tensor access: wrong element size");
    return static_cast<T*>(pointer_);
  }

  // The same bytes as another dtype of the same size.
  Tensor view_as(DType dtype) const;
  // The same elements with another shape.
  Tensor reshape(Shape shape) const;
  // Rows begin..end-1 of the outermost axis, sharing memory.
  Tensor slice(int64_t begin, int64_t end) const;

 private:
  DType dtype_ = DType::f32;
  Shape shape_;
  int64_t elements_ = 0;
  std::shared_ptr<Storage> storage_;
  size_t offset_ = 0;
  void* pointer_ = nullptr;
};

}  // namespace mxdit

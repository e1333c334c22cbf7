#include "core/tensor.h"

#include <cstdlib>

namespace mxdit {

Tensor::Tensor(DType dtype, Shape shape, std::shared_ptr<Storage> storage, size_t offset)
    : dtype_(dtype), shape_(std::move(shape)), storage_(std::move(storage)), offset_(offset) {
  elements_ = shape_.elements();
  MXDIT_CHECK(storage_ && offset_ <= storage_->bytes() && bytes() <= storage_->bytes() - offset_,
              "[core] tensor ", shape_, ": leaves its block of memory");
  pointer_ = static_cast<char*>(storage_->data()) + offset_;
}

Tensor Tensor::host(DType dtype, const Shape& shape) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * element_size(dtype);
  const size_t rounded = (bytes / 64 + 1) * 64;
  void* data = std::aligned_alloc(64, rounded);
  if (data == nullptr)
    fail(ErrorKind::out_of_memory, "[core] allocation of a tensor ", shape, ": expected ", bytes,
         " bytes, got none");
  return Tensor(dtype, shape,
                std::make_shared<Storage>(data, rounded, [data] { std::free(data); }));
}

Tensor Tensor::reshape(Shape shape) const {
  MXDIT_CHECK(shape.elements() == elements_, "[core] reshape: expected ", elements_,
              " elements, got ", shape);
  return Tensor(dtype_, std::move(shape), storage_, offset_);
}

Tensor Tensor::view_as(DType dtype) const {
  MXDIT_CHECK(element_size(dtype) == element_size(dtype_), "[core] view: expected a dtype of ",
              element_size(dtype_), " bytes, got ", name(dtype));
  return Tensor(dtype, shape_, storage_, offset_);
}

Tensor Tensor::slice(int64_t begin, int64_t end) const {
  MXDIT_CHECK(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0],
              "[core] slice: expected rows of ", shape_, ", got ", begin, "..", end);
  std::vector<int64_t> dims = shape_.dims();
  const int64_t row = dims[0] > 0 ? elements_ / dims[0] : 0;
  dims[0] = end - begin;
  const size_t skip = static_cast<size_t>(begin * row) * element_size(dtype_);
  return Tensor(dtype_, Shape(std::move(dims)), storage_, offset_ + skip);
}

}  // namespace mxdit

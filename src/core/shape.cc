#include "core/shape.h"

#include "core/error.h"

namespace mxdit {

int64_t Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank() : axis;
  MXDIT_CHECK(index >= 0 && index < rank(), "[core] shape axis: expected below ", rank(), ", got ",
              axis);
  return dims_[static_cast<size_t>(index)];
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (const int64_t extent : dims_) {
    if (extent < 0 || __builtin_mul_overflow(product, extent, &product))
      fail(ErrorKind::bad_input, "[core] shape: expected extents whose product fits 63 bits, got ",
           to_string(*this));
  }
  return product;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

}  // namespace mxdit

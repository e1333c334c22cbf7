// Extents of a tensor, outermost first. All tensors of mxdit are contiguous and row-major.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace mxdit {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}

  int rank() const noexcept { return static_cast<int>(dims_.size()); }
  // Extent of an axis; negative axes count from the back. An axis out of range is a defect.
  int64_t operator[](int axis) const;
  const std::vector<int64_t>& dims() const noexcept { return dims_; }

  // Number of elements; 1 for rank 0. Throws Error{bad_input} when an extent is negative or the
  // product does not fit 63 bits.
  int64_t elements() const;

  bool operator==(const Shape&) const = default;

 private:
  std::vector<int64_t> dims_;
};

// "[2, 3, 4]"
std::string to_string(const Shape& shape);
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << to_string(shape);
}

}  // namespace mxdit

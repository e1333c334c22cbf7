// A strided view of elements, and moving between views and dense fp32.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ascend_emulator/arithmetic/element.h"

namespace ascend_emulator::arithmetic {

using Dims = std::vector<int64_t>;

// `data` points at the element of index zero; strides count elements. The memory is the caller's.
// E2M1 views have to be contiguous.
struct View {
  void* data = nullptr;
  Element element = Element::kFloat32;
  Dims dims;
  Dims strides;

  int64_t count() const;
  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  bool contiguous() const;
};

int64_t product(const Dims& dims);
Dims dense_strides(const Dims& dims);
View dense_view(void* data, Element element, const Dims& dims);
// Both throw nothing and expect what the operators checked: compatible shapes.
bool broadcast_dims(const Dims& left, const Dims& right, Dims* out);
View broadcast_to(const View& view, const Dims& dims);

// All elements in row-major order.
std::vector<float> widened(const View& view);
void store(const float* source, const View& out);

// Copies elements of equal size from one view to another of the same dims; any strides.
void copy_elements(const View& source, const View& out);

// Calls body(begin, end) on a few threads over [0, count); `work` is the number of operations in
// all, by which small jobs stay on the calling thread.
void in_parallel(int64_t count, int64_t work, const std::function<void(int64_t, int64_t)>& body);

// Calls body(offsets) for every index of `dims` but the last; offsets[i] is in elements of view i.
void for_each_row(const Dims& dims, const std::vector<const Dims*>& strides,
                  const std::function<void(const int64_t*)>& body);

}  // namespace ascend_emulator::arithmetic

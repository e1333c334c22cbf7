#include "ascend_emulator/view_bytes.h"

#include <algorithm>
#include <vector>

namespace ascend_emulator {

namespace {

uint64_t start_of(const Tensor& tensor) {
  return reinterpret_cast<uint64_t>(tensor.address);
}

}  // namespace

void for_each_run(const Tensor& tensor, const std::function<void(uint64_t, uint64_t)>& visit) {
  if (tensor.elements() == 0) return;
  if (tensor.contiguous()) {
    visit(tensor.view_begin(), tensor.view_end());
    return;
  }
  // The innermost dimensions that follow one another make one run.
  int64_t run = 1;
  size_t outer = tensor.shape.size();
  while (outer > 0 && (tensor.shape[outer - 1] == 1 || tensor.strides[outer - 1] == run)) {
    run *= tensor.shape[--outer];
  }
  const auto bits = static_cast<uint64_t>(bits_per_element(tensor.dtype));
  Dims index(outer, 0);
  while (true) {
    int64_t first = tensor.offset;
    for (size_t d = 0; d < outer; ++d) first += index[d] * tensor.strides[d];
    visit(static_cast<uint64_t>(first) * bits / 8,
          (static_cast<uint64_t>(first + run) * bits + 7) / 8);
    size_t d = outer;
    while (d > 0 && ++index[d - 1] == tensor.shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

bool same_view(const Tensor& a, const Tensor& b) {
  return start_of(a) + a.view_begin() == start_of(b) + b.view_begin() && a.shape == b.shape &&
         (a.strides == b.strides || (a.contiguous() && b.contiguous())) &&
         is_nz(a.format) == is_nz(b.format) &&
         bits_per_element(a.dtype) == bits_per_element(b.dtype);
}

bool views_overlap(const Tensor& a, const Tensor& b) {
  if (a.elements() == 0 || b.elements() == 0) return false;
  const uint64_t begin = std::max(start_of(a) + a.view_begin(), start_of(b) + b.view_begin());
  const uint64_t end = std::min(start_of(a) + a.view_end(), start_of(b) + b.view_end());
  if (begin >= end) return false;
  if (a.contiguous() && b.contiguous()) return true;
  std::vector<bool> touched(end - begin);
  bool overlap = false;
  const auto visit = [&](const Tensor& tensor, const auto& each) {
    for_each_run(tensor, [&](uint64_t first, uint64_t last) {
      const uint64_t from = std::max(begin, start_of(tensor) + first);
      const uint64_t to = std::min(end, start_of(tensor) + last);
      for (uint64_t i = from; i < to; ++i) each(i - begin);
    });
  };
  visit(a, [&](uint64_t i) { touched[i] = true; });
  visit(b, [&](uint64_t i) { overlap = overlap || touched[i]; });
  return overlap;
}

bool repeats_elements(const Tensor& tensor) {
  if (is_nz(tensor.format) || tensor.elements() == 0) return false;
  // By ascending stride, each stride must pass all that the smaller ones reach.
  std::vector<std::pair<int64_t, int64_t>> dims;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    if (tensor.shape[d] > 1) dims.emplace_back(tensor.strides[d], tensor.shape[d]);
  }
  std::ranges::sort(dims);
  int64_t reach = 0;
  for (const auto& [stride, extent] : dims) {
    if (stride <= reach) return true;
    reach += stride * (extent - 1);
  }
  return false;
}

}  // namespace ascend_emulator

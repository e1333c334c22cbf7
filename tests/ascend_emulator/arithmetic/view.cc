#include "ascend_emulator/arithmetic/view.h"

#include <algorithm>
#include <cstring>
#include <thread>

namespace ascend_emulator::arithmetic {
namespace {

// Below this many operations a second thread costs more than it brings.
constexpr int64_t kParallelWork = 2'000'000;
constexpr unsigned kMostThreads = 4;

const char* at(const View& view, int64_t offset) {
  return static_cast<const char*>(view.data) + offset * element_bits(view.element) / 8;
}

char* at_mutable(const View& view, int64_t offset) {
  return const_cast<char*>(at(view, offset));
}

template <typename T>
void copy_row(const char* source, int64_t source_stride, char* out, int64_t out_stride,
              int64_t count) {
  const T* from = reinterpret_cast<const T*>(source);
  T* to = reinterpret_cast<T*>(out);
  for (int64_t i = 0; i < count; ++i) to[i * out_stride] = from[i * source_stride];
}

void copy_row(int bits, const char* source, int64_t source_stride, char* out, int64_t out_stride,
              int64_t count) {
  if (source_stride == 1 && out_stride == 1) {
    std::memcpy(out, source, static_cast<size_t>(count * bits / 8));
    return;
  }
  switch (bits) {
    case 8:
      return copy_row<uint8_t>(source, source_stride, out, out_stride, count);
    case 16:
      return copy_row<uint16_t>(source, source_stride, out, out_stride, count);
    case 32:
      return copy_row<uint32_t>(source, source_stride, out, out_stride, count);
    default:
      return copy_row<uint64_t>(source, source_stride, out, out_stride, count);
  }
}

// Drops dims of one and merges neighbours that both views walk without a gap.
void merge_dims(Dims* dims, Dims* left, Dims* right) {
  Dims merged, merged_left, merged_right;
  for (size_t i = 0; i < dims->size(); ++i) {
    if ((*dims)[i] == 1) continue;
    if (!merged.empty() && merged_left.back() == (*left)[i] * (*dims)[i] &&
        merged_right.back() == (*right)[i] * (*dims)[i]) {
      merged.back() *= (*dims)[i];
      merged_left.back() = (*left)[i];
      merged_right.back() = (*right)[i];
      continue;
    }
    merged.push_back((*dims)[i]);
    merged_left.push_back((*left)[i]);
    merged_right.push_back((*right)[i]);
  }
  if (merged.empty()) {
    merged.push_back(1);
    merged_left.push_back(1);
    merged_right.push_back(1);
  }
  *dims = merged;
  *left = merged_left;
  *right = merged_right;
}

}  // namespace

int64_t product(const Dims& dims) {
  int64_t result = 1;
  for (const int64_t dim : dims) result *= dim;
  return result;
}

int64_t View::count() const {
  return product(dims);
}

bool View::contiguous() const {
  int64_t expected = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    if (dims[i] != 1 && strides[i] != expected) return false;
    expected *= dims[i];
  }
  return true;
}

Dims dense_strides(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

View dense_view(void* data, Element element, const Dims& dims) {
  return {data, element, dims, dense_strides(dims)};
}

bool broadcast_dims(const Dims& left, const Dims& right, Dims* out) {
  const size_t rank = std::max(left.size(), right.size());
  out->assign(rank, 1);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t a = i < left.size() ? left[left.size() - 1 - i] : 1;
    const int64_t b = i < right.size() ? right[right.size() - 1 - i] : 1;
    if (a != b && a != 1 && b != 1) return false;
    (*out)[rank - 1 - i] = a == 1 ? b : a;
  }
  return true;
}

View broadcast_to(const View& view, const Dims& dims) {
  View result{view.data, view.element, dims, Dims(dims.size(), 0)};
  const size_t lead = dims.size() - view.dims.size();
  for (size_t i = 0; i < view.dims.size(); ++i) {
    if (view.dims[i] != 1) result.strides[lead + i] = view.strides[i];
  }
  return result;
}

void for_each_row(const Dims& dims, const std::vector<const Dims*>& strides,
                  const std::function<void(const int64_t*)>& body) {
  if (product(dims) == 0) return;
  const size_t outer = dims.empty() ? 0 : dims.size() - 1;
  Dims index(outer, 0), offsets(strides.size(), 0);
  for (;;) {
    body(offsets.data());
    size_t axis = outer;
    for (; axis > 0; --axis) {
      const size_t i = axis - 1;
      for (size_t view = 0; view < strides.size(); ++view) offsets[view] += (*strides[view])[i];
      if (++index[i] < dims[i]) break;
      for (size_t view = 0; view < strides.size(); ++view) {
        offsets[view] -= (*strides[view])[i] * dims[i];
      }
      index[i] = 0;
    }
    if (axis == 0) return;
  }
}

void copy_elements(const View& source, const View& out) {
  if (source.count() == 0) return;
  if (source.contiguous() && out.contiguous()) {
    std::memcpy(out.data, source.data,
                static_cast<size_t>(element_bytes(source.element, source.count())));
    return;
  }
  Dims dims = source.dims, from = source.strides, to = out.strides;
  merge_dims(&dims, &from, &to);
  const int bits = element_bits(source.element);
  for_each_row(dims, {&from, &to}, [&](const int64_t* offsets) {
    copy_row(bits, at(source, offsets[0]), from.back(), at_mutable(out, offsets[1]), to.back(),
             dims.back());
  });
}

std::vector<float> widened(const View& view) {
  std::vector<float> result(static_cast<size_t>(view.count()));
  if (result.empty()) return result;
  if (view.contiguous()) {
    widen(view.element, view.data, view.count(), result.data());
    return result;
  }
  std::vector<char> dense(static_cast<size_t>(element_bytes(view.element, view.count())));
  copy_elements(view, dense_view(dense.data(), view.element, view.dims));
  widen(view.element, dense.data(), view.count(), result.data());
  return result;
}

void store(const float* source, const View& out) {
  if (out.count() == 0) return;
  if (out.contiguous()) {
    narrow(out.element, source, out.count(), out.data);
    return;
  }
  std::vector<char> dense(static_cast<size_t>(element_bytes(out.element, out.count())));
  narrow(out.element, source, out.count(), dense.data());
  copy_elements(dense_view(dense.data(), out.element, out.dims), out);
}

void in_parallel(int64_t count, int64_t work, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t threads =
      std::min<int64_t>({count, std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads),
                         std::max<int64_t>(work / kParallelWork, 1)});
  if (threads <= 1) {
    if (count > 0) body(0, count);
    return;
  }
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i) {
    others.emplace_back(body, count * i / threads, count * (i + 1) / threads);
  }
  body(0, count / threads);
  for (std::thread& other : others) other.join();
}

}  // namespace ascend_emulator::arithmetic

// Operators that move elements: cast, strided copies, gathers, upsampling.
#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace mxdit::cpu {
namespace {

// A strided copy with as few axes as possible: axes of extent 1 are dropped, and neighbours that
// are one axis in both views are merged, which makes the runs of the kernel long.
struct CopyPlan {
  std::array<int64_t, 8> extents{}, in_strides{}, out_strides{};
  int rank = 0;

  CopyPlan(const StridedView& in, const Shape& shape, const StridedView& out) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const size_t i = static_cast<size_t>(axis);
      if (shape[axis] != 1) append(shape[axis], in.strides[i], out.strides[i]);
    }
    if (rank == 0) append(1, 1, 1);
    lengthen_runs();
  }

  int64_t runs() const noexcept {
    int64_t count = 1;
    for (size_t i = 0; i + 1 < static_cast<size_t>(rank); ++i) count *= extents[i];
    return count;
  }
  int64_t run_length() const noexcept { return extents[static_cast<size_t>(rank) - 1]; }

 private:
  void append(int64_t extent, int64_t in_stride, int64_t out_stride) {
    const size_t last = static_cast<size_t>(rank) - 1;
    if (rank > 0 && in_strides[last] == extent * in_stride &&
        out_strides[last] == extent * out_stride) {
      extents[last] *= extent;
      in_strides[last] = in_stride;
      out_strides[last] = out_stride;
      return;
    }
    const size_t next = static_cast<size_t>(rank++);
    extents[next] = extent;
    in_strides[next] = in_stride;
    out_strides[next] = out_stride;
  }

  // The order of axes is free: a run of three channels costs more to start than to copy, so a
  // longer axis takes its place.
  void lengthen_runs() noexcept {
    constexpr int64_t kShort = 8;
    const size_t last = static_cast<size_t>(rank) - 1;
    if (extents[last] >= kShort) return;
    const auto longest = std::max_element(extents.begin(), extents.begin() + rank);
    const size_t axis = static_cast<size_t>(longest - extents.begin());
    std::swap(extents[axis], extents[last]);
    std::swap(in_strides[axis], in_strides[last]);
    std::swap(out_strides[axis], out_strides[last]);
  }
};

}  // namespace

void CpuBackend::cast(const Tensor& in, Tensor& out) {
  const CastArgs args = {.in = in.data(),
                         .out = out.mutable_data(),
                         .in_type = element_of(in.dtype()),
                         .out_type = element_of(out.dtype())};
  run(kernels_.cast, args, in.elements());
}

void CpuBackend::copy_strided(const Tensor& in, const StridedView& view_in, const Shape& extents,
                              Tensor& out, const StridedView& view_out) {
  if (extents.elements() == 0) return;
  const CopyPlan plan(view_in, extents, view_out);
  const int64_t bytes = static_cast<int64_t>(element_size(in.dtype()));
  const CopyArgs args = {.in = static_cast<const char*>(in.data()) + view_in.offset * bytes,
                         .out = static_cast<char*>(out.mutable_data()) + view_out.offset * bytes,
                         .element_bytes = bytes,
                         .rank = plan.rank,
                         .extents = plan.extents.data(),
                         .in_strides = plan.in_strides.data(),
                         .out_strides = plan.out_strides.data()};
  run(kernels_.copy, args, plan.runs(), plan.run_length());
}

void CpuBackend::gather_rows(const Tensor& table, const Tensor& ids, Tensor& out) {
  const int64_t columns = table.dim(-1), count = ids.elements();
  const int32_t* id = ids.as<int32_t>();
  for (int64_t i = 0; i < count; ++i)
    if (id[i] < 0 || id[i] >= table.dim(0))
      fail(ErrorKind::bad_input, "[backend] gather_rows: expected ids below ", table.dim(0),
           ", got ", id[i], " at ", i);
  const int64_t in_bytes = columns * static_cast<int64_t>(element_size(table.dtype()));
  const int64_t out_bytes = columns * static_cast<int64_t>(element_size(out.dtype()));
  const bool same = table.dtype() == out.dtype();
  threads_.parallel_for(count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const char* from = static_cast<const char*>(table.data()) + id[i] * in_bytes;
      char* to = static_cast<char*>(out.mutable_data()) + i * out_bytes;
      if (same) {
        std::memcpy(to, from, static_cast<size_t>(in_bytes));
      } else {
        kernels_.cast({from, to, element_of(table.dtype()), element_of(out.dtype())}, 0, columns);
      }
    }
  });
}

void CpuBackend::upsample2x(const Tensor& x, int border, Tensor& out) {
  if (border > 0) clear_border(border, out);
  for (int64_t t = 0; t < x.dim(0); ++t) {
    const UpsampleArgs args = {
        .x = static_cast<const char*>(x.data()) + t * x.dim(1) * line_bytes(x),
        .out = bordered_line(out, border, t * 2 * x.dim(1)),
        .width = x.dim(2),
        .pixel_bytes = x.dim(3) * static_cast<int64_t>(element_size(x.dtype())),
        .out_line_bytes = line_bytes(out)};
    run(kernels_.upsample2x, args, x.dim(1), x.dim(2) * x.dim(3));
  }
}

int64_t line_bytes(const Tensor& x) {
  return x.dim(2) * x.dim(3) * static_cast<int64_t>(element_size(x.dtype()));
}

void* bordered_line(Tensor& out, int border, int64_t line) {
  const int64_t height = out.dim(1) - 2 * border;
  const int64_t pixel = out.dim(3) * static_cast<int64_t>(element_size(out.dtype()));
  const int64_t y = line / height * out.dim(1) + border + line % height;
  return static_cast<char*>(out.mutable_data()) + y * line_bytes(out) + border * pixel;
}

void clear_border(int border, Tensor& out) {
  const int64_t pixel = out.dim(3) * static_cast<int64_t>(element_size(out.dtype()));
  const int64_t line = line_bytes(out), height = out.dim(1);
  for (int64_t i = 0; i < out.dim(0) * height; ++i) {
    char* at = static_cast<char*>(out.mutable_data()) + i * line;
    const bool is_inside = i % height >= border && i % height < height - border;
    const auto side = static_cast<size_t>(is_inside ? border * pixel : line);
    std::memset(at, 0, side);
    if (is_inside) std::memset(at + line - border * pixel, 0, side);
  }
}

}  // namespace mxdit::cpu

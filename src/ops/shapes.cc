// Operators that only move elements: cast, permute, narrow, concat, write_block, gather_rows.
#include <algorithm>

#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {

namespace {

constexpr int kMaxRank = 8;

std::array<int64_t, kMaxRank> contiguous_strides(const Shape& shape) {
  std::array<int64_t, kMaxRank> strides{};
  int64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<size_t>(axis)] = step;
    step *= shape[axis];
  }
  return strides;
}

void check_copyable(std::string_view op, const Tensor& x) {
  MXDIT_CHECK(x.defined(), "[ops] ", op, ": expected a tensor, got none");
  MXDIT_CHECK(x.shape().rank() >= 1 && x.shape().rank() <= kMaxRank, "[ops] ", op,
              ": expected rank 1 to ", kMaxRank, ", got ", x.shape());
}

int resolve_axis(std::string_view op, const Tensor& x, int axis) {
  const int rank = x.shape().rank();
  const int resolved = axis < 0 ? axis + rank : axis;
  MXDIT_CHECK(resolved >= 0 && resolved < rank, "[ops] ", op, ": expected an axis of ", x.shape(),
              ", got ", axis);
  return resolved;
}

Shape with_extent(const Shape& shape, int axis, int64_t extent) {
  std::vector<int64_t> dims = shape.dims();
  dims[static_cast<size_t>(axis)] = extent;
  return Shape(std::move(dims));
}

}  // namespace

Tensor cast(Backend& backend, const Tensor& x, DType dtype) {
  MXDIT_CHECK(x.defined(), "[ops] cast: expected a tensor, got none");
  if (x.dtype() == dtype) return x;
  const bool narrow_source =
      x.dtype() == DType::f16 || x.dtype() == DType::f8_e4m3 || x.dtype() == DType::f8_e5m2;
  const bool known = (is_activation(dtype) && (is_activation(x.dtype()) || narrow_source)) ||
                     (dtype == DType::f16 && is_activation(x.dtype()));
  MXDIT_CHECK(known, "[ops] cast: expected a conversion between floating point types, got ",
              name(x.dtype()), " ", x.shape(), " to ", name(dtype));
  Tensor out = backend.empty(dtype, x.shape());
  if (out.elements() > 0) backend.cast(x, out);
  return out;
}

Tensor permute(Backend& backend, const Tensor& x, std::span<const int> axes) {
  check_copyable("permute", x);
  const auto rank = static_cast<size_t>(x.shape().rank());
  MXDIT_CHECK(axes.size() == rank, "[ops] permute: expected ", rank, " axes for ", x.shape(),
              ", got ", axes.size());
  const auto strides = contiguous_strides(x.shape());
  std::array<bool, kMaxRank> seen{};
  std::vector<int64_t> dims(rank);
  StridedView view;
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = static_cast<size_t>(resolve_axis("permute", x, axes[i]));
    MXDIT_CHECK(!seen[axis], "[ops] permute: expected every axis of ", x.shape(),
                " once, got axis ", axis, " twice");
    seen[axis] = true;
    dims[i] = x.dim(static_cast<int>(axis));
    view.strides[i] = strides[axis];
  }
  const Shape shape(std::move(dims));
  Tensor out = backend.empty(x.dtype(), shape);
  if (out.elements() > 0) backend.copy_strided(x, view, shape, out, {0, contiguous_strides(shape)});
  return out;
}

Tensor narrow(Backend& backend, const Tensor& x, int axis, int64_t begin, int64_t end) {
  check_copyable("narrow", x);
  axis = resolve_axis("narrow", x, axis);
  MXDIT_CHECK(0 <= begin && begin <= end && end <= x.dim(axis),
              "[ops] narrow: expected a range of ", "axis ", axis, " of ", x.shape(), ", got ",
              begin, "..", end);
  const auto strides = contiguous_strides(x.shape());
  const Shape shape = with_extent(x.shape(), axis, end - begin);
  Tensor out = backend.empty(x.dtype(), shape);
  if (out.elements() == 0) return out;
  const int64_t offset = begin * strides[static_cast<size_t>(axis)];
  backend.copy_strided(x, {offset, strides}, shape, out, {0, contiguous_strides(shape)});
  return out;
}

void write_block(Backend& backend, const Tensor& x, std::span<const int64_t> begin, Tensor& out) {
  check_copyable("write_block", x);
  check_copyable("write_block", out);
  const int rank = x.shape().rank();
  MXDIT_CHECK(rank == out.shape().rank() && begin.size() == static_cast<size_t>(rank) &&
                  x.dtype() == out.dtype(),
              "[ops] write_block: expected ", name(out.dtype()), " of the rank of ", out.shape(),
              ", got ", name(x.dtype()), " ", x.shape(), " with ", begin.size(), " offsets");
  const auto strides = contiguous_strides(out.shape());
  int64_t offset = 0;
  for (int axis = 0; axis < rank; ++axis) {
    const auto index = static_cast<size_t>(axis);
    MXDIT_CHECK(begin[index] >= 0 && begin[index] + x.dim(axis) <= out.dim(axis),
                "[ops] write_block: expected a block inside ", out.shape(), ", got ", x.shape(),
                " at ", begin[index], " of axis ", axis);
    offset += begin[index] * strides[index];
  }
  if (x.elements() > 0)
    backend.copy_strided(x, {0, contiguous_strides(x.shape())}, x.shape(), out, {offset, strides});
}

Tensor concat(Backend& backend, std::span<const Tensor> parts, int axis) {
  MXDIT_CHECK(!parts.empty(), "[ops] concat: expected at least one tensor, got none");
  const Tensor& first = parts.front();
  check_copyable("concat", first);
  axis = resolve_axis("concat", first, axis);
  int64_t extent = 0;
  for (const Tensor& part : parts) {
    check_copyable("concat", part);
    const bool fits = part.dtype() == first.dtype() &&
                      part.shape().rank() == first.shape().rank() &&
                      with_extent(part.shape(), axis, first.dim(axis)) == first.shape();
    MXDIT_CHECK(fits, "[ops] concat on axis ", axis, ": expected ", name(first.dtype()), " like ",
                first.shape(), ", got ", name(part.dtype()), " ", part.shape());
    extent += part.dim(axis);
  }
  Tensor out = backend.empty(first.dtype(), with_extent(first.shape(), axis, extent));
  std::vector<int64_t> begin(static_cast<size_t>(first.shape().rank()), 0);
  for (const Tensor& part : parts) {
    write_block(backend, part, begin, out);
    begin[static_cast<size_t>(axis)] += part.dim(axis);
  }
  return out;
}

Tensor gather_rows(Backend& backend, const Tensor& table, const Tensor& ids, DType dtype) {
  MXDIT_CHECK(table.defined() && ids.defined(),
              "[ops] gather_rows: expected two tensors, got none");
  check_rank("gather_rows", table, 2);
  MXDIT_CHECK(ids.dtype() == DType::i32 && ids.shape().rank() == 1,
              "[ops] gather_rows: expected ids I32 [n], got ", name(ids.dtype()), " ", ids.shape());
  MXDIT_CHECK(is_activation(dtype), "[ops] gather_rows: expected F32 or BF16 rows, got ",
              name(dtype));
  Tensor out = backend.empty(dtype, {ids.dim(0), table.dim(1)});
  if (out.elements() > 0) backend.gather_rows(table, ids, out);
  return out;
}

}  // namespace mxdit::ops

// Operators that move elements: cast, strided copies, gathers, upsampling.
#include <algorithm>
#include <array>

#include "backend/ascend/ascend_backend.h"

namespace mxdit::ascend {
namespace {

// A strided copy with as few axes as possible: axes of extent 1 are dropped, and neighbours that
// are one axis in both views are merged.
class CopyAxes {
 public:
  CopyAxes(const StridedView& in, const Shape& shape, const StridedView& out) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const auto i = static_cast<size_t>(axis);
      if (shape[axis] != 1) append(shape[axis], in.strides[i], out.strides[i]);
    }
    if (rank_ == 0) append(1, 1, 1);
  }

  bool is_one_run() const noexcept {
    return rank_ == 1 && in_[0] == 1 && out_[0] == 1;
  }
  Extents extents() const { return listed(extents_); }
  Extents in_strides() const { return listed(in_); }
  Extents out_strides() const { return listed(out_); }

 private:
  using List = std::array<int64_t, 8>;
  Extents listed(const List& list) const { return Extents(std::span(list.data(), rank_)); }

  void append(int64_t extent, int64_t in_stride, int64_t out_stride) {
    if (rank_ > 0 && in_[rank_ - 1] == extent * in_stride && out_[rank_ - 1] == extent * out_stride)
      --rank_, extent *= extents_[rank_];
    extents_[rank_] = extent;
    in_[rank_] = in_stride;
    out_[rank_] = out_stride;
    ++rank_;
  }

  List extents_{}, in_{}, out_{};
  size_t rank_ = 0;
};

// Element types that copies are made in: as integers, so that no code is a special one.
DType carrier(DType dtype) {
  switch (element_size(dtype)) {
    case 1:
      return DType::u8;
    case 2:
      return dtype == DType::f16 ? DType::f16 : DType::bf16;
    case 4:
      return DType::f32;
    default:
      return dtype;
  }
}

int32_t checked_id(const Tensor& table, const Tensor& ids, int64_t i) {
  const int32_t id = ids.as<int32_t>()[i];
  if (id < 0 || id >= table.dim(0))
    fail(ErrorKind::bad_input, "[backend] gather_rows: expected ids below ", table.dim(0), ", got ",
         id, " at ", i);
  return id;
}

}  // namespace

void AscendBackend::cast(const Tensor& in, Tensor& out) {
  if (in.elements() == 0) return;
  device_.call(op::cast, TensorView::of(in), data_type(out.dtype()), TensorView::of(out));
}

void AscendBackend::copy_strided(const Tensor& in, const StridedView& view_in, const Shape& extents,
                                 Tensor& out, const StridedView& view_out) {
  if (extents.elements() == 0) return;
  const CopyAxes axes(view_in, extents, view_out);
  const auto size = static_cast<int64_t>(element_size(in.dtype()));
  if (axes.is_one_run())
    return device_.copy(static_cast<char*>(out.mutable_data()) + view_out.offset * size,
                        static_cast<const char*>(in.data()) + view_in.offset * size,
                        static_cast<size_t>(extents.elements() * size));
  const DType type = carrier(in.dtype());
  copy_view(TensorView::strided(in.view_as(type), view_in.offset, axes.extents(),
                                axes.in_strides()),
            TensorView::strided(out.view_as(type), view_out.offset, axes.extents(),
                                axes.out_strides()));
}

// Rows that follow each other in the table are copied together: ids come in runs where tokens share
// a timestep.
void AscendBackend::gather_rows(const Tensor& table, const Tensor& ids, Tensor& out) {
  const int64_t count = ids.elements();
  for (int64_t i = 0; i < count; ++i) checked_id(table, ids, i);
  if (out.elements() == 0) return;
  Tensor rows = table.dtype() == out.dtype() ? out : fresh(table.dtype(), out.shape());
  const int64_t row = table.dim(1) * static_cast<int64_t>(element_size(table.dtype()));
  const int32_t* id = ids.as<int32_t>();
  for (int64_t i = 0; i < count;) {
    int64_t end = i + 1;
    while (end < count && id[end] == id[i] + (end - i)) ++end;
    device_.copy(static_cast<char*>(rows.mutable_data()) + i * row,
                 static_cast<const char*>(table.data()) + id[i] * row,
                 static_cast<size_t>((end - i) * row));
    i = end;
  }
  round_into(rows, out);
}

void AscendBackend::upsample2x(const Tensor& x, int border, Tensor& out) {
  if (border > 0) device_.clear(out.mutable_data(), out.bytes());
  const int64_t t = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3);
  const int64_t line = out.dim(2) * c, frame = out.dim(1) * line;
  const TensorView from = TensorView::of(x);
  for (const int64_t dy : {0, 1})
    for (const int64_t dx : {0, 1})
      copy_view(from, TensorView::strided(out, (border + dy) * line + (border + dx) * c,
                                          {t, h, w, c}, {frame, 2 * line, 2 * c, 1}));
}

}  // namespace mxdit::ascend

// A NormedSum row by row: what goes from the sum's kernel to the norm's, and from there to the
// caller, stays in L1.
#pragma once

#include <algorithm>

#include "backend/cpu/cpu_backend.h"

namespace mxdit::cpu {

class NormedRow {
 public:
  NormedRow(const KernelTable& kernels, const NormedSum& in)
      : kernels_(kernels),
        in_(in),
        type_(element_of(in.x->dtype())),
        columns_(in.x->dim(-1)),
        row_bytes_(columns_ * static_cast<int64_t>(element_size(in.x->dtype()))) {}

  // Writes row `row` of the sum, and its norm to `out`.
  void operator()(int64_t row, void* out) const {
    if (in_.y != nullptr) add(row);
    const Tensor& x = in_.y == nullptr ? *in_.x : *in_.sum;
    kernels_.layer_norm({.x = at(x, row),
                         .out = out,
                         .type = type_,
                         .columns = columns_,
                         .eps = in_.eps,
                         .gain = parameters(in_.gain, row),
                         .bias = parameters(in_.bias, row),
                         .rows_per_gain = 1,
                         .gain_offset = in_.modulates ? 1.0f : 0.0f},
                        0, 1);
  }

 private:
  const void* at(const Tensor& x, int64_t row) const {
    return static_cast<const char*>(x.data()) + row * row_bytes_;
  }

  void add(int64_t row) const {
    void* sum = static_cast<char*>(in_.sum->mutable_data()) + row * row_bytes_;
    if (in_.gate == nullptr)
      return kernels_.add({.a = at(*in_.x, row),
                           .b = at(*in_.y, row),
                           .out = sum,
                           .type = type_,
                           .b_type = type_,
                           .period = columns_},
                          0, columns_);
    kernels_.gate_add({.x = at(*in_.x, row),
                       .y = at(*in_.y, row),
                       .gate = parameters(in_.gate, row),
                       .out = sum,
                       .type = type_,
                       .columns = columns_,
                       .rows_per_gate = 1},
                      0, 1);
  }

  // What row `row` takes of rows that are shared by as many rows of x each; null: nothing.
  const float* parameters(const Tensor* shared, int64_t row) const {
    if (shared == nullptr) return nullptr;
    const int64_t rows_each = std::max<int64_t>(1, in_.x->elements() / shared->elements());
    return shared->as<float>() + row / rows_each * columns_;
  }

  const KernelTable& kernels_;
  const NormedSum& in_;
  Element type_;
  int64_t columns_, row_bytes_;
};

}  // namespace mxdit::cpu

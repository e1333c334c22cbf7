#include "ascend_emulator/arithmetic/matrix.h"

#include <algorithm>
#include <cstring>

#include "ascend_emulator/arithmetic/dot_products.h"

namespace ascend_emulator::arithmetic {
namespace {

// A matrix widened to fp32 once, with its strides as in memory order of the copy.
struct Matrix {
  std::vector<float> values;
  int64_t row_stride;
  int64_t depth_stride;
};

// Keeps a transposed view in the order of its memory, so that widening runs along it.
Matrix load(const View& view, size_t row_axis, size_t depth_axis) {
  View ordered = view;
  const bool swapped = view.strides[0] < view.strides[1];
  if (swapped) {
    std::swap(ordered.dims[0], ordered.dims[1]);
    std::swap(ordered.strides[0], ordered.strides[1]);
  }
  Matrix matrix{widened(ordered), 0, 0};
  const Dims strides = swapped ? Dims{1, ordered.dims[1]} : Dims{ordered.dims[1], 1};
  matrix.row_stride = strides[row_axis];
  matrix.depth_stride = strides[depth_axis];
  return matrix;
}

PanelSource panels(const Matrix& matrix) {
  return [&matrix](const PanelRequest& request) {
    const float* base =
        matrix.values.data() + request.first * matrix.row_stride + request.k0 * matrix.depth_stride;
    for (int64_t k = 0; k < request.count; ++k) {
      double* out = request.out + k * request.width;
      const float* from = base + k * matrix.depth_stride;
      for (int64_t i = 0; i < request.vectors; ++i) out[i] = from[i * matrix.row_stride];
      for (int64_t i = request.vectors; i < request.width; ++i) out[i] = 0;
    }
  };
}

View plane(const View& view, int64_t offset) {
  const size_t rank = view.dims.size();
  char* data = static_cast<char*>(view.data) + offset * element_bits(view.element) / 8;
  return {data,
          view.element,
          {view.dims[rank - 2], view.dims[rank - 1]},
          {view.strides[rank - 2], view.strides[rank - 1]}};
}

// rounded[i][j] = fp32(finish(i, j, sum)), stored in out's type.
template <typename Finish>
void multiply(const PanelSource& left, const PanelSource& right, int64_t depth, const View& out,
              Finish&& finish) {
  const int64_t rows = out.dims[0], cols = out.dims[1];
  std::vector<float> results(static_cast<size_t>(rows * cols));
  dot_products({rows, cols, depth, 0}, left, right, [&](const DotTile& tile) {
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* line = results.data() + (tile.row0 + i) * cols + tile.col0;
      for (int64_t j = 0; j < tile.cols; ++j) {
        line[j] = static_cast<float>(
            finish(tile.row0 + i, tile.col0 + j, tile.sums[i * tile.stride + j]));
      }
    }
  });
  store(results.data(), out);
}

void multiply_planes(const View& left, const View& right, const View& out) {
  const Matrix a = load(left, 0, 1);
  const Matrix b = load(right, 1, 0);
  multiply(panels(a), panels(b), left.dims[1], out,
           [](int64_t, int64_t, double sum) { return sum; });
}

Dims leading(const Dims& dims) {
  return {dims.begin(), dims.end() - 2};
}

View broadcast_batch(const View& view, const Dims& batch) {
  Dims dims = batch;
  dims.push_back(view.dims[view.dims.size() - 2]);
  dims.push_back(view.dims.back());
  View result = broadcast_to(view, dims);
  for (size_t i = 1; i <= 2; ++i) {
    result.strides[dims.size() - i] = view.strides[view.dims.size() - i];
  }
  return result;
}

}  // namespace

void matmul(const View& left, const View& right, const View& out) {
  if (out.count() == 0) return;
  const Dims batch = leading(out.dims);
  const View a = broadcast_batch(left, batch), b = broadcast_batch(right, batch);
  Dims walked = batch;
  walked.push_back(1);
  for_each_row(walked, {&a.strides, &b.strides, &out.strides}, [&](const int64_t* offsets) {
    multiply_planes(plane(a, offsets[0]), plane(b, offsets[1]), plane(out, offsets[2]));
  });
}

void addmm(const View& self, const View& left, const View& right, double beta, double alpha,
           const View& out) {
  const Matrix a = load(left, 0, 1);
  const Matrix b = load(right, 1, 0);
  const std::vector<float> added = widened(broadcast_to(self, out.dims));
  const int64_t cols = out.dims[1];
  multiply(panels(a), panels(b), left.dims[1], out, [&](int64_t i, int64_t j, double sum) {
    // As in torch, beta 0 leaves self out, NaN or not.
    const double term = beta == 0 ? 0.0 : beta * static_cast<double>(added[i * cols + j]);
    return term + alpha * sum;
  });
}

void matmul_weight_nz(const View& left, const void* right, const NzLayout& layout, bool transposed,
                      const View& out) {
  const Matrix a = load(left, 0, 1);
  std::vector<char> dense(
      static_cast<size_t>(element_bytes(left.element, layout.rows * layout.cols)));
  nz_to_nd(right, layout, 1, element_bits(left.element) / 8, dense.data());
  const View stored = dense_view(dense.data(), left.element, {layout.rows, layout.cols});
  const Matrix b = transposed ? load(stored, 0, 1) : load(stored, 1, 0);
  multiply(panels(a), panels(b), left.dims[1], out,
           [](int64_t, int64_t, double sum) { return sum; });
}

void nd_to_nz(const void* source, const NzLayout& layout, int64_t batch, int64_t bytes, void* out) {
  const auto* from = static_cast<const char*>(source);
  auto* to = static_cast<char*>(out);
  std::memset(out, 0, static_cast<size_t>(batch * layout.storage_elements() * bytes));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t row = 0; row < layout.rows; ++row) {
      for (int64_t col = 0; col < layout.cols; col += layout.c0) {
        const int64_t run = std::min(layout.c0, layout.cols - col);
        std::memcpy(to + layout.offset(row, col) * bytes, from + (row * layout.cols + col) * bytes,
                    static_cast<size_t>(run * bytes));
      }
    }
    from += layout.rows * layout.cols * bytes;
    to += layout.storage_elements() * bytes;
  }
}

void nz_to_nd(const void* source, const NzLayout& layout, int64_t batch, int64_t bytes, void* out) {
  const auto* from = static_cast<const char*>(source);
  auto* to = static_cast<char*>(out);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t row = 0; row < layout.rows; ++row) {
      for (int64_t col = 0; col < layout.cols; col += layout.c0) {
        const int64_t run = std::min(layout.c0, layout.cols - col);
        std::memcpy(to + (row * layout.cols + col) * bytes, from + layout.offset(row, col) * bytes,
                    static_cast<size_t>(run * bytes));
      }
    }
    from += layout.storage_elements() * bytes;
    to += layout.rows * layout.cols * bytes;
  }
}

bool nz_pads_are_zero(const void* storage, const NzLayout& layout, int64_t bytes) {
  const auto* data = static_cast<const char*>(storage);
  const int64_t rows = layout.fractal_rows() * 16;
  const int64_t cols = (layout.cols + layout.c0 - 1) / layout.c0 * layout.c0;
  const auto any = [&](int64_t row, int64_t col, int64_t end) {
    const char* from = data + layout.offset(row, col) * bytes;
    return std::any_of(from, from + (end - col) * bytes, [](char byte) { return byte != 0; });
  };
  for (int64_t row = 0; row < rows; ++row) {
    if (layout.cols < cols && any(row, layout.cols, cols)) return false;
    if (row < layout.rows) continue;
    for (int64_t col = 0; col + layout.c0 <= cols; col += layout.c0) {
      if (any(row, col, col + layout.c0)) return false;
    }
  }
  return true;
}

}  // namespace ascend_emulator::arithmetic

// Products of matrices. A panel of weight rows is widened and transposed once per task, so that the
// inner loop is a row of fused columns that the compiler makes vectors of.
#include <algorithm>
#include <functional>
#include <vector>

#include "backend/cpu/exact/elements.h"
#include "backend/cpu/exact/exact_backend.h"
#include "formats/reference.h"

namespace mxdit::cpu::exact {
namespace {

constexpr int64_t kPanel = 16;   // columns of the output at a time
constexpr int64_t kRows = 64;    // rows of the left operand at a time

class PlainWeight final : public PreparedWeight {
 public:
  explicit PlainWeight(Tensor weight) : weight_(std::move(weight)) {}
  int64_t out_features() const noexcept override { return weight_.shape().dims()[0]; }
  int64_t in_features() const noexcept override { return weight_.shape().dims()[1]; }
  size_t bytes() const noexcept override { return 0; }
  const Tensor& tensor() const noexcept { return weight_; }

 private:
  Tensor weight_;
};

// A weight whose elements times block scales are all there is to it; `scaled` is for activations that
// have fp32 scales above them.
class BlockWeight final : public PreparedWeight {
 public:
  BlockWeight(QuantizedMatrix matrix, std::shared_ptr<PreparedWeight> scaled)
      : matrix_(std::move(matrix)), scaled_(std::move(scaled)) {}
  int64_t out_features() const noexcept override { return matrix_.rows; }
  int64_t in_features() const noexcept override { return matrix_.columns; }
  size_t bytes() const noexcept override { return matrix_.bytes(); }
  const QuantizedMatrix& matrix() const noexcept { return matrix_; }
  const PreparedWeight& scaled() const noexcept { return *scaled_; }

 private:
  QuantizedMatrix matrix_;
  std::shared_ptr<PreparedWeight> scaled_;
};

// Writes rows first .. first + count - 1 of an operand, widened, one behind the other.
using Rows = std::function<void(int64_t first, int64_t count, double* out)>;

Rows rows_of(const Tensor& x, int64_t columns) {
  return [&x, columns](int64_t first, int64_t count, double* out) {
    load(x, first * columns, count * columns, out);
  };
}

// Rows of a quantized matrix as a matrix of their own.
QuantizedMatrix slice(const QuantizedMatrix& x, int64_t first, int64_t count) {
  const auto part = [&](const Tensor& tensor) {
    return tensor.defined() ? tensor.slice(first, first + count) : tensor;
  };
  return {x.format, count, x.columns, part(x.elements), part(x.block_scale), part(x.scale)};
}

Rows rows_of(const QuantizedMatrix& x) {
  return [&x](int64_t first, int64_t count, double* out) {
    const Tensor values = reference::dequantize(slice(x, first, count));
    std::copy_n(values.as<double>(), count * x.columns, out);
  };
}

struct Product {
  int64_t m, n, k;
  const float* bias;
  Activation act;
};

// out[row, columns of the panel], from `left` [rows, k] and `right` [k, kPanel].
void multiply_panel(const Product& product, const double* left, int64_t row, int64_t rows,
                    const double* right, int64_t column, Tensor& out) {
  const int64_t columns = std::min(kPanel, product.n - column);
  for (int64_t r = 0; r < rows; ++r) {
    double sum[kPanel] = {};
    for (int64_t k = 0; k < product.k; ++k) {
      const double value = left[r * product.k + k];
      for (int64_t c = 0; c < kPanel; ++c) sum[c] += value * right[k * kPanel + c];
    }
    for (int64_t c = 0; c < columns; ++c) {
      const double bias = product.bias == nullptr ? 0.0 : product.bias[column + c];
      float value = static_cast<float>(sum[c] + bias);
      if (product.act != Activation::none)
        value = static_cast<float>(apply(product.act, round_to(out.dtype(), value)));
      store(value, out, (row + r) * product.n + column + c);
    }
  }
}

void multiply(ThreadPool& threads, const Rows& left, const Rows& right, const Product& product,
              Tensor& out) {
  const int64_t panels = (product.n + kPanel - 1) / kPanel;
  threads.parallel_for(panels, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> x(static_cast<size_t>(kRows * product.k));
    std::vector<double> w(static_cast<size_t>(kPanel * product.k));
    std::vector<double> panel(w.size());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t count = std::min(kPanel, product.n - i * kPanel);
      right(i * kPanel, count, w.data());
      for (int64_t k = 0; k < product.k; ++k)
        for (int64_t c = 0; c < kPanel; ++c)
          panel[static_cast<size_t>(k * kPanel + c)] =
              c < count ? w[static_cast<size_t>(c * product.k + k)] : 0.0;
      for (int64_t row = 0; row < product.m; row += kRows) {
        const int64_t rows = std::min(kRows, product.m - row);
        left(row, rows, x.data());
        multiply_panel(product, x.data(), row, rows, panel.data(), i * kPanel, out);
      }
    }
  });
}

}  // namespace

std::shared_ptr<PreparedWeight> ExactBackend::prepare_linear(const Tensor& weight) {
  MXDIT_CHECK(weight.shape().rank() == 2, "[backend] prepare_linear: expected [N, K], got ",
              weight.shape());
  element_of(weight.dtype());
  return std::make_shared<PlainWeight>(weight);
}

void ExactBackend::linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
                          Activation act, Tensor& out) {
  const Tensor& w = static_cast<const PlainWeight&>(weight).tensor();
  const int64_t n = w.dim(0), k = w.dim(1), m = n == 0 ? 0 : out.elements() / n;
  multiply(threads(), rows_of(x, k), rows_of(w, k),
           {m, n, k, bias == nullptr ? nullptr : bias->as<float>(), act}, out);
}

KernelChoice ExactBackend::linear_kernel(DType, int64_t, int64_t) const { return {"double", {}}; }

std::shared_ptr<PreparedWeight> ExactBackend::prepare_quantized(const QuantizedMatrix& weight) {
  std::shared_ptr<PreparedWeight> scaled = CpuBackend::prepare_quantized(weight);
  if (weight.format->has_scale()) return scaled;
  return std::make_shared<BlockWeight>(weight, std::move(scaled));
}

void ExactBackend::quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight,
                                    const Tensor* bias, Activation act, Tensor& out) {
  const auto* blocks = dynamic_cast<const BlockWeight*>(&weight);
  if (blocks == nullptr || x.scale.defined()) {
    CpuBackend::quantized_linear(x, blocks == nullptr ? weight : blocks->scaled(), bias,
                                 Activation::none, out);
    if (act != Activation::none) activate(act, out, nullptr, out);
    return;
  }
  const QuantizedMatrix& w = blocks->matrix();
  multiply(threads(), rows_of(x), rows_of(w),
           {x.rows, w.rows, x.columns, bias == nullptr ? nullptr : bias->as<float>(), act}, out);
}

KernelChoice ExactBackend::quantized_kernel(const QuantFormat& x, const QuantFormat& weight, int64_t,
                                            int64_t) const {
  return {x.has_scale() || weight.has_scale() ? "fp32, groups of 512 columns by themselves" : "double",
          {}};
}

}  // namespace mxdit::cpu::exact

#include "ops/residual.h"

#include "ops/checks.h"

namespace mxdit {
namespace {

bool is_shared(const Tensor& x) {
  return x.block().use_count() > 1;
}

}  // namespace

void Residual::add(Tensor y, Tensor gate) {
  value();
  ops::check_same("residual sum", x_, y);
  y_ = std::move(y);
  gate_ = std::move(gate);
}

const Tensor& Residual::value() {
  if (!y_.defined()) return x_;
  x_ = gate_.defined() ? ops::gate_add(backend_, x_, y_, gate_) : ops::add(backend_, x_, y_);
  y_ = gate_ = Tensor();
  return x_;
}

// work(the sum that is to be made, and its norm).
template <typename Work>
auto Residual::with_sum(const LayerNormParams& norm, const Work& work) {
  NormedSum rows = {.x = &x_,
                    .gain = norm.gain.defined() ? &norm.gain : nullptr,
                    .bias = norm.bias.defined() ? &norm.bias : nullptr,
                    .modulates = norm.modulates,
                    .eps = norm.eps};
  if (!y_.defined()) return work(rows);
  Tensor sum = is_shared(y_) ? backend_.empty(x_.dtype(), x_.shape()) : y_;
  rows.y = &y_;
  rows.gate = gate_.defined() ? &gate_ : nullptr;
  rows.sum = &sum;
  auto result = work(rows);
  x_ = std::move(sum);
  y_ = gate_ = Tensor();
  return result;
}

Tensor Residual::normed(const LayerNormParams& norm) {
  return with_sum(norm, [&](const NormedSum& rows) { return ops::norm_sum(backend_, rows); });
}

QuantizedMatrix Residual::quantized(const LayerNormParams& norm, const QuantFormat& format,
                                    const QuantizeOptions& options) {
  return with_sum(norm, [&](const NormedSum& rows) {
    return ops::quantize_normed(backend_, rows, format, options);
  });
}

}  // namespace mxdit

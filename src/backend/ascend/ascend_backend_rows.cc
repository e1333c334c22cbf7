// Norms, elementwise operators and position encoding.
#include <algorithm>

#include "backend/ascend/ascend_backend.h"

namespace mxdit::ascend {
namespace {

// x [..., C] as [rows, C].
Extents as_rows(const Tensor& x) {
  return {x.elements() / x.dim(-1), x.dim(-1)};
}

}  // namespace

void AscendBackend::apply(Activation act, const TensorView& x, const TensorView& out) {
  switch (act) {
    case Activation::none:
      return copy_view(x, out);
    case Activation::silu:
      return device_.call(op::silu, x, out);
    case Activation::gelu_tanh:
      return device_.call(op::gelu_v2, x, 1, out);
    case Activation::gelu_erf:
      return device_.call(op::gelu_v2, x, 0, out);
  }
}

void AscendBackend::layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                               Tensor& out) {
  const auto view = [](const Tensor* p) { return p ? TensorView::of(*p) : TensorView::none(); };
  device_.call(op::layer_norm, TensorView::of(x, as_rows(x)), IntArray{x.dim(-1)}, view(gain),
               view(bias), static_cast<double>(eps), TensorView::of(out, as_rows(out)),
               TensorView::none(), TensorView::none());
}

void AscendBackend::norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale,
                                  float eps, Tensor& out) {
  const int64_t batch = x.dim(0), columns = x.dim(2);
  Tensor gain = fresh(DType::f32, scale.shape());
  device_.call(op::adds, TensorView::of(scale), ScalarValue(1.0f), ScalarValue(1.0f),
               TensorView::of(gain));
  if (scale.dim(1) == 1) {  // one modulation for all rows of a batch row: the operator's own
    for (int64_t b = 0; b < batch; ++b) {
      const Tensor row_gain = gain.slice(b, b + 1).reshape({columns});
      const Tensor row_shift = shift.slice(b, b + 1).reshape({columns});
      Tensor rows = out.slice(b, b + 1);
      layer_norm(x.slice(b, b + 1), &row_gain, &row_shift, eps, rows);
    }
    return;
  }
  Tensor normed = fresh(DType::f32, x.shape()), wide = wide_result(out);
  layer_norm(widened(x), nullptr, nullptr, eps, normed);
  device_.call(op::mul, TensorView::of(normed), TensorView::of(gain), TensorView::of(normed));
  device_.call(op::add, TensorView::of(normed), TensorView::of(shift), ScalarValue(1.0f),
               TensorView::of(wide));
  round_into(wide, out);
}

void AscendBackend::norm_rms(const Tensor& x, const Tensor& gain, double eps, Tensor& wide) {
  const Extents rows = as_rows(x);
  const Tensor reciprocal = fresh(DType::f32, {rows[0], 1});
  device_.call(op::rms_norm, TensorView::of(widened(x), rows), TensorView::of(gain), eps,
               TensorView::of(wide, rows), TensorView::of(reciprocal));
}

void AscendBackend::rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) {
  Tensor wide = wide_result(out);
  norm_rms(x, gain, static_cast<double>(eps), wide);
  round_into(wide, out);
}

// x / max(|x|, 1e-12) * sqrt(C) is x / sqrt(mean(x^2) + e) with e = 1e-24 / C, but where |x| is of
// the order of 1e-12.
void AscendBackend::channel_norm(const Tensor& x, const Tensor& gain, Activation act, int border,
                                 Tensor& out) {
  Tensor wide = border == 0 ? wide_result(out) : fresh(DType::f32, x.shape());
  norm_rms(x, gain, 1e-24 / static_cast<double>(x.dim(-1)), wide);
  if (act != Activation::none) {
    Tensor activated = border == 0 ? wide_result(out) : fresh(DType::f32, x.shape());
    apply(act, TensorView::of(wide), TensorView::of(activated));
    wide = activated;
  }
  if (border == 0) return round_into(wide, out);
  const Tensor middle = as_type(wide, out.dtype());
  device_.clear(out.mutable_data(), out.bytes());
  const int64_t line = out.dim(2) * out.dim(3);
  copy_view(TensorView::of(middle),
            TensorView::strided(out, border * line + border * out.dim(3), Extents(x.shape()),
                                {out.dim(1) * line, line, out.dim(3), 1}));
}

void AscendBackend::gate_add(const Tensor& x, const Tensor& y, const Tensor& gate, Tensor& out) {
  Tensor gated = fresh(DType::f32, y.shape()), wide = wide_result(out);
  device_.call(op::mul, TensorView::of(widened(y)), TensorView::of(gate), TensorView::of(gated));
  device_.call(op::add, TensorView::of(widened(x)), TensorView::of(gated), ScalarValue(1.0f),
               TensorView::of(wide));
  round_into(wide, out);
}

// One operator for equal types: it widens, adds and rounds as the others do.
void AscendBackend::add(const Tensor& a, const Tensor& b, Tensor& out) {
  if (a.dtype() == b.dtype())
    return device_.call(op::add, TensorView::of(a), TensorView::of(b), ScalarValue(1.0f),
                        TensorView::of(out));
  Tensor wide = wide_result(out);
  device_.call(op::add, TensorView::of(widened(a)), TensorView::of(widened(b)), ScalarValue(1.0f),
               TensorView::of(wide));
  round_into(wide, out);
}

void AscendBackend::activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) {
  if (y == nullptr) return apply(act, TensorView::of(x), TensorView::of(out));
  Tensor activated = fresh(DType::f32, x.shape()), wide = wide_result(out);
  apply(act, TensorView::of(widened(x)), TensorView::of(activated));
  device_.call(op::mul, TensorView::of(activated), TensorView::of(widened(*y)),
               TensorView::of(wide));
  round_into(wide, out);
}

Tensor AscendBackend::for_pairs(const Tensor& half) {
  if (const Tensor* known = derived_.find(half, DerivedTensors::Form::both_of_pair)) return *known;
  derived_.drop_expired();  // those of the grid before, whose memory may serve
  const int64_t positions = half.dim(0), pairs = half.dim(1);
  Tensor both = fresh(DType::f32, {positions, 2 * pairs});
  for (const int64_t i : {0, 1})
    copy_view(TensorView::of(half),
              TensorView::strided(both, i, {positions, pairs}, {2 * pairs, 2}));
  derived_.keep(half, DerivedTensors::Form::both_of_pair, both);
  return both;
}

void AscendBackend::rope(const Tensor& x, const Tensor& cos, const Tensor& sin, Tensor& out) {
  constexpr int64_t kInterleaved = 1, kWidest = 1024;
  if (x.dim(3) > kWidest)
    fail(ErrorKind::unsupported, "[backend] ascend: rotary positions: expected heads of at most ",
         kWidest, ", got ", x.shape());
  const Extents angles = {1, x.dim(1), 1, x.dim(3)};
  // On its own: what makes one must not wait for the other in the arguments of one call.
  const Tensor cosines = for_pairs(cos), sines = for_pairs(sin);
  Tensor wide = wide_result(out);
  device_.call(op::rotary_position_embedding, TensorView::of(widened(x)),
               TensorView::of(cosines, angles), TensorView::of(sines, angles), kInterleaved,
               TensorView::of(wide));
  round_into(wide, out);
}

void AscendBackend::linear_combination(std::span<const float> coefficients,
                                       std::span<const Tensor* const> inputs, Tensor& out) {
  Tensor wide = wide_result(out), sum;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool is_last = i + 1 == inputs.size();
    Tensor term = is_last && i == 0 ? wide : fresh(DType::f32, out.shape());
    device_.call(op::muls, TensorView::of(widened(*inputs[i])), ScalarValue(coefficients[i]),
                 TensorView::of(term));
    if (i > 0) {
      const Tensor& total = is_last ? wide : term;
      device_.call(op::add, TensorView::of(sum), TensorView::of(term), ScalarValue(1.0f),
                   TensorView::of(total));
      term = total;
    }
    sum = term;
  }
  round_into(wide, out);
}

}  // namespace mxdit::ascend

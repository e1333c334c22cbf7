// Norms, elementwise operators and position encoding.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/normed_row.h"

namespace mxdit::cpu {
namespace {

const float* floats(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : static_cast<const float*>(tensor->data());
}

int64_t last_axis(const Tensor& x) {
  return x.dim(-1);
}

int64_t rows_of(const Tensor& x) {
  const int64_t columns = last_axis(x);
  return columns == 0 ? 0 : x.elements() / columns;
}

// How many rows of x [B, S, C] share one row of `gains` [B, 1, C] or [B, S, C].
int64_t rows_per_gain(const Tensor& x, const Tensor& gains) {
  return std::max<int64_t>(1, gains.elements() == 0 ? 1 : x.elements() / gains.elements());
}

}  // namespace

void CpuBackend::layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                            Tensor& out) {
  const LayerNormArgs args = {.x = x.data(),
                              .out = out.mutable_data(),
                              .type = element_of(x.dtype()),
                              .columns = last_axis(x),
                              .eps = eps,
                              .gain = floats(gain),
                              .bias = floats(bias),
                              .rows_per_gain = std::max<int64_t>(1, rows_of(x)),
                              .gain_offset = 0.0f};
  run(kernels_.layer_norm, args, rows_of(x), last_axis(x));
}

void CpuBackend::norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps,
                               Tensor& out) {
  const LayerNormArgs args = {.x = x.data(),
                              .out = out.mutable_data(),
                              .type = element_of(x.dtype()),
                              .columns = last_axis(x),
                              .eps = eps,
                              .gain = floats(&scale),
                              .bias = floats(&shift),
                              .rows_per_gain = rows_per_gain(x, scale),
                              .gain_offset = 1.0f};
  run(kernels_.layer_norm, args, rows_of(x), last_axis(x));
}

void CpuBackend::rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) {
  const ScaleNormArgs args = {.x = x.data(),
                              .out = out.mutable_data(),
                              .type = element_of(x.dtype()),
                              .columns = last_axis(x),
                              .eps = eps,
                              .gain = floats(&gain),
                              .function = Function::none};
  run(kernels_.rms_norm, args, rows_of(x), last_axis(x));
}

void CpuBackend::channel_norm(const Tensor& x, const Tensor& gain, Activation act, int border,
                              Tensor& out) {
  ScaleNormArgs args = {.x = x.data(),
                        .out = out.mutable_data(),
                        .type = element_of(x.dtype()),
                        .columns = last_axis(x),
                        .eps = 0.0f,
                        .gain = floats(&gain),
                        .function = function_of(act)};
  if (border == 0) return run(kernels_.channel_norm, args, rows_of(x), last_axis(x));
  clear_border(border, out);
  const int64_t width = x.dim(2);
  threads_.parallel_for(x.dim(0) * x.dim(1), 4, [&](int64_t begin, int64_t end) {
    ScaleNormArgs line = args;
    for (int64_t y = begin; y < end; ++y) {
      line.x = static_cast<const char*>(x.data()) + y * line_bytes(x);
      line.out = bordered_line(out, border, y);
      kernels_.channel_norm(line, 0, width);
    }
  });
}

void CpuBackend::gate_add(const Tensor& x, const Tensor& y, const Tensor& gate, Tensor& out) {
  const GateAddArgs args = {.x = x.data(),
                            .y = y.data(),
                            .gate = floats(&gate),
                            .out = out.mutable_data(),
                            .type = element_of(x.dtype()),
                            .columns = last_axis(x),
                            .rows_per_gate = rows_per_gain(x, gate)};
  run(kernels_.gate_add, args, rows_of(x), last_axis(x));
}

void CpuBackend::add(const Tensor& a, const Tensor& b, Tensor& out) {
  const AddArgs args = {.a = a.data(),
                        .b = b.data(),
                        .out = out.mutable_data(),
                        .type = element_of(a.dtype()),
                        .b_type = element_of(b.dtype()),
                        .period = std::max<int64_t>(1, b.elements())};
  run(kernels_.add, args, a.elements());
}

void CpuBackend::activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) {
  const ActivateArgs args = {.x = x.data(),
                             .y = y == nullptr ? nullptr : y->data(),
                             .out = out.mutable_data(),
                             .type = element_of(x.dtype()),
                             .function = function_of(act)};
  run(kernels_.activate, args, x.elements());
}

void CpuBackend::rope(const Tensor& x, const Tensor& cos, const Tensor& sin, Tensor& out) {
  const RopeArgs args = {.x = x.data(),
                         .cos = floats(&cos),
                         .sin = floats(&sin),
                         .out = out.mutable_data(),
                         .type = element_of(x.dtype()),
                         .positions = x.dim(1),
                         .heads = x.dim(2),
                         .head_dim = x.dim(3)};
  run(kernels_.rope, args, rows_of(x), last_axis(x));
}

void CpuBackend::rms_norm_rope(const Tensor& x, const Tensor& gain, float eps, const Tensor& cos,
                               const Tensor& sin, Tensor& out) {
  const Element type = element_of(x.dtype());
  const int64_t columns = last_axis(x), positions = x.dim(1), half = cos.dim(1);
  const int64_t row_bytes = columns * static_cast<int64_t>(element_size(x.dtype()));
  const auto* in = static_cast<const char*>(x.data());
  auto* rotated = static_cast<char*>(out.mutable_data());
  for_each_row(x, [&](int64_t row, void* normed) {
    kernels_.rms_norm({.x = in + row * row_bytes,
                       .out = normed,
                       .type = type,
                       .columns = columns,
                       .eps = eps,
                       .gain = floats(&gain),
                       .function = Function::none},
                      0, 1);
    const int64_t angles = row % positions * half, heads = out.dim(2);
    kernels_.rope({.x = normed,
                   .cos = floats(&cos) + angles,
                   .sin = floats(&sin) + angles,
                   .out = rotated + row * row_bytes,
                   .type = type,
                   .positions = 1,
                   .heads = heads,
                   .head_dim = out.dim(3)},
                  0, heads);
  });
}

void CpuBackend::norm_sum(const NormedSum& rows, Tensor& out) {
  const NormedRow norm(kernels_, rows);
  const int64_t row_bytes = last_axis(out) * static_cast<int64_t>(element_size(out.dtype()));
  auto* normed = static_cast<char*>(out.mutable_data());
  threads_.parallel_for(rows_of(out), grain_of(last_axis(out)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) norm(row, normed + row * row_bytes);
  });
}

void CpuBackend::linear_combination(std::span<const float> coefficients,
                                    std::span<const Tensor* const> inputs, Tensor& out) {
  std::vector<const void*> data;
  std::vector<Element> types;
  for (const Tensor* input : inputs) {
    data.push_back(input->data());
    types.push_back(element_of(input->dtype()));
  }
  const CombineArgs args = {.coefficients = coefficients.data(),
                            .inputs = data.data(),
                            .types = types.data(),
                            .count = static_cast<int64_t>(inputs.size()),
                            .out = out.mutable_data(),
                            .out_type = element_of(out.dtype())};
  run(kernels_.combine, args, out.elements());
}

}  // namespace mxdit::cpu

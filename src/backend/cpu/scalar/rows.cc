#include <cmath>
#include <cstring>

#include "backend/cpu/scalar/elements.h"
#include "backend/cpu/scalar/kernels.h"

namespace mxdit::cpu::scalar {

void cast(const CastArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t i = begin; i < end; ++i)
    store(args.out, args.out_type, i, load(args.in, args.in_type, i));
}

void add(const AddArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t i = begin; i < end; ++i)
    store(args.out, args.type, i,
          load(args.a, args.type, i) + load(args.b, args.b_type, i % args.period));
}

void activate(const ActivateArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t i = begin; i < end; ++i) {
    float value = apply(args.function, load(args.x, args.type, i));
    if (args.y != nullptr) value *= load(args.y, args.type, i);
    store(args.out, args.type, i, value);
  }
}

void combine(const CombineArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t i = begin; i < end; ++i) {
    float sum = 0.0f;
    for (int64_t j = 0; j < args.count; ++j)
      sum += args.coefficients[j] * load(args.inputs[j], args.types[j], i);
    store(args.out, args.out_type, i, sum);
  }
}

void layer_norm(const LayerNormArgs& args, int64_t begin, int64_t end) noexcept {
  const int64_t n = args.columns;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = row * n, gains = row / args.rows_per_gain * n;
    float sum = 0.0f, squares = 0.0f;
    for (int64_t c = 0; c < n; ++c) sum += load(args.x, args.type, first + c);
    const float mean = sum / static_cast<float>(n);
    for (int64_t c = 0; c < n; ++c) {
      const float d = load(args.x, args.type, first + c) - mean;
      squares += d * d;
    }
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + args.eps);
    for (int64_t c = 0; c < n; ++c) {
      float value = (load(args.x, args.type, first + c) - mean) * factor;
      if (args.gain != nullptr) value *= args.gain[gains + c] + args.gain_offset;
      if (args.bias != nullptr) value += args.bias[gains + c];
      store(args.out, args.type, first + c, value);
    }
  }
}

namespace {

float sum_of_squares(const ScaleNormArgs& args, int64_t first) noexcept {
  float squares = 0.0f;
  for (int64_t c = 0; c < args.columns; ++c) {
    const float value = load(args.x, args.type, first + c);
    squares += value * value;
  }
  return squares;
}

void scale_row(const ScaleNormArgs& args, int64_t first, float factor) noexcept {
  for (int64_t c = 0; c < args.columns; ++c) {
    const float value = load(args.x, args.type, first + c) * factor * args.gain[c];
    store(args.out, args.type, first + c, apply(args.function, value));
  }
}

}  // namespace

void rms_norm(const ScaleNormArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; ++row) {
    const float mean = sum_of_squares(args, row * args.columns) / static_cast<float>(args.columns);
    scale_row(args, row * args.columns, 1.0f / std::sqrt(mean + args.eps));
  }
}

void channel_norm(const ScaleNormArgs& args, int64_t begin, int64_t end) noexcept {
  const float root = std::sqrt(static_cast<float>(args.columns));
  for (int64_t row = begin; row < end; ++row) {
    const float norm = std::sqrt(sum_of_squares(args, row * args.columns));
    scale_row(args, row * args.columns, root / (norm < 1e-12f ? 1e-12f : norm));
  }
}

void gate_add(const GateAddArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; ++row) {
    const float* gate = args.gate + row / args.rows_per_gate * args.columns;
    for (int64_t c = 0; c < args.columns; ++c) {
      const int64_t i = row * args.columns + c;
      store(args.out, args.type, i,
            load(args.x, args.type, i) + load(args.y, args.type, i) * gate[c]);
    }
  }
}

void rope(const RopeArgs& args, int64_t begin, int64_t end) noexcept {
  const int64_t half = args.head_dim / 2;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t position = row / args.heads % args.positions;
    for (int64_t i = 0; i < half; ++i) {
      const int64_t at = row * args.head_dim + 2 * i;
      const float c = args.cos[position * half + i], s = args.sin[position * half + i];
      const float x0 = load(args.x, args.type, at), x1 = load(args.x, args.type, at + 1);
      store(args.out, args.type, at, x0 * c - x1 * s);
      store(args.out, args.type, at + 1, x1 * c + x0 * s);
    }
  }
}

namespace {

template <typename T>
void copy_run(const T* in, int64_t in_stride, T* out, int64_t out_stride, int64_t count) noexcept {
  if (in_stride == 1 && out_stride == 1) {
    std::memcpy(out, in, static_cast<size_t>(count) * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < count; ++i) out[i * out_stride] = in[i * in_stride];
}

template <typename T>
void copy_runs(const CopyArgs& args, int64_t begin, int64_t end) noexcept {
  const int last = args.rank - 1;
  int64_t index[8] = {}, rest = begin, in = 0, out = 0;
  for (int axis = last - 1; axis >= 0; --axis) {
    index[axis] = rest % args.extents[axis];
    rest /= args.extents[axis];
    in += index[axis] * args.in_strides[axis];
    out += index[axis] * args.out_strides[axis];
  }
  for (int64_t run = begin; run < end; ++run) {
    copy_run(static_cast<const T*>(args.in) + in, args.in_strides[last],
             static_cast<T*>(args.out) + out, args.out_strides[last], args.extents[last]);
    for (int axis = last - 1; axis >= 0; --axis) {
      in += args.in_strides[axis];
      out += args.out_strides[axis];
      if (++index[axis] < args.extents[axis]) break;
      in -= args.extents[axis] * args.in_strides[axis];
      out -= args.extents[axis] * args.out_strides[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

void copy(const CopyArgs& args, int64_t begin, int64_t end) noexcept {
  if (args.element_bytes == 1) copy_runs<uint8_t>(args, begin, end);
  if (args.element_bytes == 2) copy_runs<uint16_t>(args, begin, end);
  if (args.element_bytes == 4) copy_runs<uint32_t>(args, begin, end);
  if (args.element_bytes == 8) copy_runs<uint64_t>(args, begin, end);
}

void upsample2x(const UpsampleArgs& args, int64_t begin, int64_t end) noexcept {
  const int64_t pixel = args.pixel_bytes, row_bytes = 2 * args.width * pixel;
  const int64_t line = args.out_line_bytes;
  for (int64_t row = begin; row < end; ++row) {
    const char* in = static_cast<const char*>(args.x) + row * args.width * pixel;
    char* out = static_cast<char*>(args.out) + 2 * row * line;
    for (int64_t x = 0; x < args.width; ++x) {
      std::memcpy(out + 2 * x * pixel, in + x * pixel, static_cast<size_t>(pixel));
      std::memcpy(out + (2 * x + 1) * pixel, in + x * pixel, static_cast<size_t>(pixel));
    }
    std::memcpy(out + line, out, static_cast<size_t>(row_bytes));
  }
}

}  // namespace mxdit::cpu::scalar

#include "ascend_emulator/arithmetic/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>

namespace ascend_emulator::arithmetic {
namespace {

constexpr int64_t kChunk = 1024;

const char* at(const View& view, int64_t offset) {
  return static_cast<const char*>(view.data) + offset * element_bits(view.element) / 8;
}

// `count` elements of a row: adjacent, spread, or one repeated.
void read_row(const View& view, int64_t offset, int64_t stride, int64_t count, float* out) {
  if (stride == 1) return widen(view.element, at(view, offset), count, out);
  if (stride == 0) {
    widen(view.element, at(view, offset), 1, out);
    std::fill(out + 1, out + count, out[0]);
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    widen(view.element, at(view, offset + i * stride), 1, out + i);
}

void write_row(const View& view, int64_t offset, int64_t stride, int64_t count, const float* from) {
  char* data = const_cast<char*>(at(view, 0));
  const int64_t bytes = element_bits(view.element) / 8;
  if (stride == 1) return narrow(view.element, from, count, data + offset * bytes);
  for (int64_t i = 0; i < count; ++i) {
    narrow(view.element, from + i, 1, data + (offset + i * stride) * bytes);
  }
}

// Leaves out dims of one and joins dims that all views walk without a gap: rows get long.
void join_dims(View* left, View* right, View* out) {
  Dims dims, a, b, c;
  for (size_t i = 0; i < out->dims.size(); ++i) {
    const int64_t dim = out->dims[i];
    if (dim == 1) continue;
    if (!dims.empty() && a.back() == left->strides[i] * dim &&
        b.back() == right->strides[i] * dim && c.back() == out->strides[i] * dim) {
      dims.back() *= dim;
      a.back() = left->strides[i];
      b.back() = right->strides[i];
      c.back() = out->strides[i];
      continue;
    }
    dims.push_back(dim);
    a.push_back(left->strides[i]);
    b.push_back(right->strides[i]);
    c.push_back(out->strides[i]);
  }
  if (dims.empty()) dims = a = b = c = {1};
  left->dims = right->dims = out->dims = dims;
  left->strides = a;
  right->strides = b;
  out->strides = c;
}

template <typename Operation>
void apply_pairwise(const View& left, const View& right, const View& out, Operation&& operation) {
  if (out.count() == 0) return;
  View a = broadcast_to(left, out.dims), b = broadcast_to(right, out.dims), c = out;
  join_dims(&a, &b, &c);
  float x[kChunk], y[kChunk];
  const int64_t length = c.dims.back();
  for_each_row(c.dims, {&a.strides, &b.strides, &c.strides}, [&](const int64_t* offsets) {
    for (int64_t i = 0; i < length; i += kChunk) {
      const int64_t count = std::min(kChunk, length - i);
      read_row(a, offsets[0] + i * a.strides.back(), a.strides.back(), count, x);
      read_row(b, offsets[1] + i * b.strides.back(), b.strides.back(), count, y);
      for (int64_t k = 0; k < count; ++k) x[k] = operation(x[k], y[k]);
      write_row(c, offsets[2] + i * c.strides.back(), c.strides.back(), count, x);
    }
  });
}

double gelu_erf(double x) {
  return 0.5 * x * (1.0 + std::erf(x * 0.70710678118654752440));
}

double gelu_tanh(double x) {
  constexpr double kRootTwoOverPi = 0.79788456080286535588;
  return 0.5 * x * (1.0 + std::tanh(kRootTwoOverPi * (x + 0.044715 * x * x * x)));
}

double silu_of(double x) {
  return x / (1.0 + std::exp(-x));
}

using Function = double (*)(double);

// Results of a function for all 65536 inputs of a 16-bit type, as fp32.
const float* table_of(Function function, Element element) {
  static std::mutex mutex;
  static std::map<std::pair<Function, Element>, std::unique_ptr<float[]>> tables;
  const std::lock_guard lock(mutex);
  std::unique_ptr<float[]>& table = tables[{function, element}];
  if (!table) {
    table = std::make_unique<float[]>(1 << 16);
    for (int bits = 0; bits < 1 << 16; ++bits) {
      const auto half = static_cast<uint16_t>(bits);
      const float x = element == Element::kBfloat16 ? bf16_to_float(half) : fp16_to_float(half);
      table[bits] = static_cast<float>(function(x));
    }
  }
  return table.get();
}

void apply_function(const View& x, Function function, const View& out) {
  const int64_t count = x.count();
  std::vector<float> results(static_cast<size_t>(count));
  if (x.element == Element::kFloat32) {
    const std::vector<float> values = widened(x);
    in_parallel(count, count * 32, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) results[i] = static_cast<float>(function(values[i]));
    });
  } else {
    const float* table = table_of(function, x.element);
    std::vector<uint16_t> halves(static_cast<size_t>(count));
    copy_elements(x, dense_view(halves.data(), x.element, x.dims));
    for (int64_t i = 0; i < count; ++i) results[i] = table[halves[i]];
  }
  store(results.data(), out);
}

bool is_integer(Element element) {
  return element == Element::kInt8 || element == Element::kUint8 || element == Element::kInt32 ||
         element == Element::kInt64 || element == Element::kBool;
}

template <typename Wide>
Wide read_as(const char* data, Element element) {
  const auto load = [data]<typename T>(T value) {
    std::memcpy(&value, data, sizeof(T));
    return static_cast<Wide>(value);
  };
  switch (element) {
    case Element::kInt8:
      return load(int8_t{});
    case Element::kUint8:
    case Element::kBool:
      return load(uint8_t{});
    case Element::kInt32:
      return load(int32_t{});
    case Element::kInt64:
      return load(int64_t{});
    case Element::kFloat64:
      return load(double{});
    default: {
      float value;
      widen(element, data, 1, &value);
      return static_cast<Wide>(value);
    }
  }
}

int64_t saturated(double value, double low, double high) {
  if (std::isnan(value)) return 0;
  // 2^63 is not an int64_t, so its bounds are handled apart.
  if (value >= 0x1p63) return std::numeric_limits<int64_t>::max();
  if (value <= -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(std::clamp(value, low, high));
}

int64_t as_integer(double value, Element element) {
  switch (element) {
    case Element::kInt8:
      return saturated(value, -128, 127);
    case Element::kUint8:
      return saturated(value, 0, 255);
    case Element::kInt32:
      return saturated(value, -0x1p31, 0x1p31 - 1);
    default:
      return saturated(value, -0x1p63, 0x1p63);
  }
}

void write_integer(int64_t value, Element element, char* data) {
  // Little endian: the low bytes come first, and integers wrap as a C cast does.
  if (element == Element::kBool) value = value != 0 ? 1 : 0;
  std::memcpy(data, &value, static_cast<size_t>(element_bits(element) / 8));
}

void write_double(double value, Element element, char* data) {
  if (element == Element::kFloat64) {
    std::memcpy(data, &value, sizeof value);
  } else if (element == Element::kBool) {
    *data = value != 0 ? 1 : 0;
  } else if (is_integer(element)) {
    write_integer(as_integer(value, element), element, data);
  } else {
    const float single = static_cast<float>(value);
    narrow(element, &single, 1, data);
  }
}

bool passes_through_float(Element element) {
  return element_bits(element) <= 16 || element == Element::kFloat32;
}

}  // namespace

void add(const View& left, const View& right, float alpha, const View& out) {
  if (alpha == 1) {
    apply_pairwise(left, right, out, [](float x, float y) { return x + y; });
  } else {
    apply_pairwise(left, right, out, [alpha](float x, float y) {
      const float scaled = alpha * y;
      return x + scaled;
    });
  }
}

void subtract(const View& left, const View& right, float alpha, const View& out) {
  if (alpha == 1) {
    apply_pairwise(left, right, out, [](float x, float y) { return x - y; });
  } else {
    apply_pairwise(left, right, out, [alpha](float x, float y) {
      const float scaled = alpha * y;
      return x - scaled;
    });
  }
}

void multiply(const View& left, const View& right, const View& out) {
  apply_pairwise(left, right, out, [](float x, float y) { return x * y; });
}

void add_scalar(const View& self, float scalar, float alpha, const View& out) {
  add(self, {&scalar, Element::kFloat32, {}, {}}, alpha, out);
}

void multiply_scalar(const View& self, float scalar, const View& out) {
  multiply(self, {&scalar, Element::kFloat32, {}, {}}, out);
}

void cast(const View& self, const View& out) {
  if (self.element == out.element) return copy_elements(self, out);
  if (passes_through_float(self.element) && passes_through_float(out.element)) {
    return store(widened(self).data(), out);
  }
  const int64_t count = self.count();
  std::vector<char> from(static_cast<size_t>(element_bytes(self.element, count)));
  std::vector<char> to(static_cast<size_t>(element_bytes(out.element, count)));
  copy_elements(self, dense_view(from.data(), self.element, self.dims));
  const int64_t from_bytes = element_bits(self.element) / 8,
                to_bytes = element_bits(out.element) / 8;
  for (int64_t i = 0; i < count; ++i) {
    const char* source = from.data() + i * from_bytes;
    if (is_integer(self.element) && is_integer(out.element)) {
      write_integer(read_as<int64_t>(source, self.element), out.element, to.data() + i * to_bytes);
    } else {
      write_double(read_as<double>(source, self.element), out.element, to.data() + i * to_bytes);
    }
  }
  copy_elements(dense_view(to.data(), out.element, out.dims), out);
}

void gelu(const View& x, Gelu kind, const View& out) {
  apply_function(x, kind == Gelu::kErf ? gelu_erf : gelu_tanh, out);
}

void silu(const View& x, const View& out) {
  apply_function(x, silu_of, out);
}

void rotary_embedding(const View& x, const View& cos, const View& sin, Rotation rotation,
                      const View& out) {
  if (x.count() == 0) return;
  const View cosines = broadcast_to(cos, x.dims), sines = broadcast_to(sin, x.dims);
  const int64_t length = x.dims.back();
  std::vector<float> values(length), c(length), s(length), results(length);
  for_each_row(x.dims, {&x.strides, &cosines.strides, &sines.strides, &out.strides},
               [&](const int64_t* offsets) {
                 read_row(x, offsets[0], x.strides.back(), length, values.data());
                 read_row(cosines, offsets[1], cosines.strides.back(), length, c.data());
                 read_row(sines, offsets[2], sines.strides.back(), length, s.data());
                 for (int64_t i = 0; i < length; ++i) {
                   const bool first = rotation == Rotation::kHalf ? i < length / 2 : i % 2 == 0;
                   const int64_t step = rotation == Rotation::kHalf ? length / 2 : 1;
                   const float turned = first ? -values[i + step] : values[i - step];
                   const float straight_term = values[i] * c[i];
                   const float turned_term = turned * s[i];
                   results[i] = straight_term + turned_term;
                 }
                 write_row(out, offsets[3], out.strides.back(), length, results.data());
               });
}

}  // namespace ascend_emulator::arithmetic

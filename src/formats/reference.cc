#include "formats/reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace mxdit::reference {
namespace {

constexpr int64_t kSumColumns = 512;

// The 16-bit type of the input: what intermediate results are rounded to.
struct Half {
  bool is_bf16;
  float load(uint16_t bits) const { return is_bf16 ? to_float(bf16{bits}) : to_float(f16{bits}); }
  float round(float value) const {
    return is_bf16 ? to_float(to_bf16(value)) : to_float(to_f16(value));
  }
};

// Largest magnitude; what is not finite counts as zero.
float finite_maximum(const float* x, int64_t count) {
  float maximum = 0.0f;
  for (int64_t i = 0; i < count; ++i)
    if (std::isfinite(x[i])) maximum = std::max(maximum, std::fabs(x[i]));
  return maximum;
}

// Biased exponent of value truncated to bf16: 0 for zero and subnormals, 255 for Inf and NaN.
int exponent_field(float value) {
  return static_cast<int>((std::bit_cast<uint32_t>(value) >> 23) & 0xffu);
}

int largest_exponent_field(const float* x, int64_t count) {
  int largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, exponent_field(x[i]));
  return largest;
}

struct RowOutput {
  uint8_t* elements;
  uint8_t* block_scale;
  float* scale;
};

void put(const QuantFormat& format, uint8_t* elements, int64_t i, uint8_t code) {
  if (format.element->bits == 8)
    elements[i] = code;
  else if (i % 2 == 0)
    elements[i / 2] = code;
  else
    elements[i / 2] = static_cast<uint8_t>(elements[i / 2] | (code << 4));
}

// Block scale and elements of one block. `code0_is_zero`: a block of code 0 becomes zero even when its
// largest exponent field is not 0.
void encode_block(const float* t, int64_t begin, int64_t end, const QuantFormat& format,
                  RoundMode mode, Half half, bool code0_is_zero, const RowOutput& out) {
  const int largest = largest_exponent_field(t + begin, end - begin);
  const int code = largest == 0xff ? 0xff : std::max(largest - format.element->max_exponent, 0);
  out.block_scale[begin / format.block] = static_cast<uint8_t>(code);
  float reciprocal = std::ldexp(1.0f, 127 - code);
  if (largest == 0 || (code == 0 && code0_is_zero)) reciprocal = 0.0f;
  for (int64_t i = begin; i < end; ++i) {
    float scaled = t[i] * reciprocal;
    if (half.is_bf16) scaled = half.round(scaled);
    put(format, out.elements, i, code == 0xff ? 0 : format.element->encode(scaled, mode));
  }
}

void encode_blocks(const float* t, int64_t begin, int64_t end, const QuantFormat& format,
                   RoundMode mode, Half half, bool code0_is_zero, const RowOutput& out) {
  for (int64_t block = begin; block < end; block += format.block)
    encode_block(t, block, std::min(block + format.block, end), format, mode, half, code0_is_zero,
                 out);
}

void encode_dual_level(std::vector<float>& x, const QuantFormat& format, RoundMode mode, Half half,
                       const RowOutput& out) {
  const auto columns = static_cast<int64_t>(x.size());
  for (int64_t begin = 0; begin < columns; begin += format.group) {
    const int64_t end = std::min(begin + format.group, columns);
    float l0 = finite_maximum(x.data() + begin, end - begin) * std::bit_cast<float>(0x3e2aaaabu);
    if (l0 < std::numeric_limits<float>::min()) l0 = 0.0f;
    out.scale[begin / format.group] = l0;
    for (int64_t i = begin; i < end; ++i)
      if (x[static_cast<size_t>(i)] != 0.0f)
        x[static_cast<size_t>(i)] = half.round(x[static_cast<size_t>(i)] / l0);
    encode_blocks(x.data(), begin, end, format, mode, half, false, out);
  }
}

void encode_row_maximum(const std::vector<float>& x, const QuantFormat& format,
                        const QuantizeOptions& options, const RowOutput& out) {
  const ElementFormat& element = *format.element;
  const auto columns = static_cast<int64_t>(x.size());
  float scale = options.static_scale;
  if (scale == 0.0f) {
    scale = std::max(finite_maximum(x.data(), columns) / element.max, format.least_scale);
    if (scale == 0.0f) scale = 1.0f;
  }
  *out.scale = scale;
  const float reciprocal = 1.0f / scale;
  for (int64_t i = 0; i < columns; ++i) {
    const float value = x[static_cast<size_t>(i)];
    const float scaled = options.static_scale == 0.0f
                             ? value / scale
                             : value * reciprocal + options.static_offset;
    put(format, out.elements, i, element.encode(scaled, options.round));
  }
}

void encode_nv_blocks(const std::vector<float>& x, const QuantFormat& format,
                      const QuantizeOptions& options, const RowOutput& out) {
  const auto columns = static_cast<int64_t>(x.size());
  *out.scale = options.static_scale;
  for (int64_t begin = 0; begin < columns; begin += format.block) {
    const int64_t end = std::min(begin + format.block, columns);
    const float wanted = finite_maximum(x.data() + begin, end - begin) / format.element->max;
    const uint8_t code = to_e4m3(wanted / options.static_scale);
    out.block_scale[begin / format.block] = code;
    const float step = e4m3_to_float(code) * options.static_scale;
    for (int64_t i = begin; i < end; ++i) {
      const float scaled = step == 0.0f ? 0.0f : x[static_cast<size_t>(i)] / step;
      put(format, out.elements, i, format.element->encode(scaled, options.round));
    }
  }
}

void encode_row(std::vector<float>& x, const QuantFormat& format, const QuantizeOptions& options,
                Half half, const RowOutput& out) {
  const auto columns = static_cast<int64_t>(x.size());
  switch (format.rule) {
    case ScaleRule::dual_level:
      return encode_dual_level(x, format, options.round, half, out);
    case ScaleRule::shared_exponent:
      return encode_blocks(x.data(), 0, columns, format, options.round, half, true, out);
    case ScaleRule::row_maximum:
      return encode_row_maximum(x, format, options, out);
    case ScaleRule::nv_block:
      return encode_nv_blocks(x, format, options, out);
  }
}

Tensor zeros(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::host(dtype, shape);
  if (tensor.bytes() > 0) std::memset(tensor.mutable_data(), 0, tensor.bytes());
  return tensor;
}

uint8_t element_code(const QuantizedMatrix& x, int64_t row, int64_t column) {
  const auto* bytes = static_cast<const uint8_t*>(x.elements.data()) + row * x.elements.dim(1);
  if (x.format->element->bits == 8) return bytes[column];
  return static_cast<uint8_t>(column % 2 == 0 ? bytes[column / 2] & 0xf : bytes[column / 2] >> 4);
}

// element * block scale: exact in fp32 but for scales near the ends of E8M0, so in double.
double block_value(const QuantizedMatrix& x, int64_t row, int64_t column) {
  const QuantFormat& format = *x.format;
  const double element = format.element->decode(element_code(x, row, column));
  if (format.block == 0) return element;
  const int64_t codes = x.block_scale.elements() / std::max<int64_t>(x.rows, 1);
  const uint8_t code = static_cast<const uint8_t*>(
      x.block_scale.data())[row * codes + column / format.block];
  return element * (format.block_scale_type == DType::u8 ? e8m0_to_float(code)
                                                         : e4m3_to_float(code));
}

float scale_of(const QuantizedMatrix& x, int64_t row, int64_t column) {
  if (!x.scale.defined()) return 1.0f;
  const int64_t groups = x.scale.dim(1);
  return x.scale.as<float>()[row * groups + (groups == 1 ? 0 : column / x.format->group)];
}

void store(Tensor& out, int64_t i, float value) {
  if (out.dtype() == DType::f32)
    out.as_mutable<float>()[i] = value;
  else
    out.as_mutable<uint16_t>()[i] =
        out.dtype() == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
}

bool has_group_scales(const QuantizedMatrix& x) {
  return x.format->has_scale() && x.format->group != QuantFormat::kWholeRow;
}

}  // namespace

QuantizedMatrix quantize(const Tensor& x, const QuantFormat& format,
                         const QuantizeOptions& options) {
  const bool is_bf16 = x.dtype() == DType::bf16;
  MXDIT_CHECK(x.shape().rank() == 2 && (is_bf16 || x.dtype() == DType::f16),
              "[formats] quantize: expected [rows, columns] in BF16 or F16, got ",
              name(x.dtype()), " ", x.shape());
  const int64_t rows = x.dim(0), columns = x.dim(1);
  MXDIT_CHECK(format.element->bits == 8 || columns % 2 == 0,
              "[formats] quantize: expected an even number of columns, got ", columns);
  const Half half{is_bf16};
  QuantizedMatrix result{&format, rows, columns, {}, {}, {}};
  result.elements = zeros(format.element->storage, format.elements_shape(rows, columns));
  if (format.block != 0)
    result.block_scale = zeros(format.block_scale_type, format.block_scale_shape(rows, columns));
  const int64_t groups = format.groups(columns);
  if (groups != 0) result.scale = zeros(DType::f32, format.scale_shape(rows, columns));
  const int64_t codes = format.block == 0 ? 0 : format.block_scale_shape(1, columns).elements();
  std::vector<float> row(static_cast<size_t>(columns));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      float value = half.load(x.as<uint16_t>()[r * columns + c]);
      if (options.smooth_scale != nullptr)
        value = half.round(value * half.load(options.smooth_scale->as<uint16_t>()[c]));
      row[static_cast<size_t>(c)] = value;
    }
    RowOutput out{static_cast<uint8_t*>(result.elements.mutable_data()) +
                      r * result.elements.dim(1),
                  nullptr, nullptr};
    if (codes != 0)
      out.block_scale = static_cast<uint8_t*>(result.block_scale.mutable_data()) + r * codes;
    if (groups != 0) out.scale = result.scale.as_mutable<float>() + r * groups;
    encode_row(row, format, options, half, out);
  }
  return result;
}

Tensor dequantize(const QuantizedMatrix& x) {
  Tensor out = Tensor::host(DType::f64, {x.rows, x.columns});
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.columns; ++c)
      out.as_mutable<double>()[r * x.columns + c] =
          block_value(x, r, c) * static_cast<double>(scale_of(x, r, c));
  return out;
}

Tensor matmul(const QuantizedMatrix& x, const QuantizedMatrix& w, const Tensor* bias,
              DType out_type) {
  MXDIT_CHECK(x.columns == w.columns, "[formats] matmul: expected ", w.columns,
              " columns on both sides, got ", x.columns);
  const bool per_group = has_group_scales(x) || has_group_scales(w);
  Tensor out = Tensor::host(out_type, {x.rows, w.rows});
  for (int64_t m = 0; m < x.rows; ++m)
    for (int64_t n = 0; n < w.rows; ++n) {
      const float start = bias == nullptr ? 0.0f : bias->as<float>()[n];
      float sum = per_group ? start : 0.0f;
      for (int64_t begin = 0; begin < x.columns; begin += kSumColumns) {
        const int64_t end = std::min(begin + kSumColumns, x.columns);
        double products = 0.0;
        for (int64_t k = begin; k < end; ++k) products += block_value(x, m, k) * block_value(w, n, k);
        const float group = static_cast<float>(products);
        sum += per_group ? group * (scale_of(x, m, begin) * scale_of(w, n, begin)) : group;
      }
      if (!per_group) sum = sum * (scale_of(x, m, 0) * scale_of(w, n, 0)) + start;
      store(out, m * w.rows + n, sum);
    }
  return out;
}

}  // namespace mxdit::reference

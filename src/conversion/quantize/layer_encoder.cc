#include "conversion/quantize/layer_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "conversion/file_pieces.h"
#include "core/error.h"
#include "formats/e2m1_packing.h"
#include "ops/ops.h"

namespace mxdit::conversion {

namespace {

float value_at(const Tensor& tensor, int64_t i) {
  if (tensor.dtype() == DType::f32) return tensor.as<float>()[i];
  const uint16_t bits = tensor.as<uint16_t>()[i];
  return tensor.dtype() == DType::bf16 ? to_float(bf16{bits}) : to_float(f16{bits});
}

QuantizedMatrix rows_of(const QuantizedMatrix& matrix, int64_t begin, int64_t end) {
  const auto slice = [&](const Tensor& part) {
    return part.defined() ? part.slice(begin, end) : Tensor();
  };
  return {matrix.format,
          end - begin,
          matrix.columns,
          slice(matrix.elements),
          slice(matrix.block_scale),
          slice(matrix.scale)};
}

QuantizedMatrix on_device(Backend& backend, const QuantizedMatrix& matrix) {
  QuantizedMatrix moved = matrix;
  for (Tensor* part : {&moved.elements, &moved.block_scale, &moved.scale})
    if (part->defined()) *part = backend.from_host(*part);
  return moved;
}

struct SquareSums {
  double error = 0, size = 0;
};

// Of one row.
SquareSums compare(const Tensor& weight, int64_t first, const float* decoded, int64_t columns) {
  SquareSums sums;
  for (int64_t i = 0; i < columns; ++i) {
    const double value = value_at(weight, first + i);
    const double difference = value - static_cast<double>(decoded[i]);
    sums.error += difference * difference;
    sums.size += value * value;
  }
  return sums;
}

// Rows are summed by themselves and then in order: the same number at any thread count.
double relative_error(const RuleContext& context, const Tensor& weight,
                      const QuantizedMatrix& matrix) {
  SquareSums total;
  const int64_t columns = matrix.columns, step = rows_per_piece(columns);
  std::vector<SquareSums> sums(static_cast<size_t>(std::min(step, matrix.rows)));
  for (int64_t begin = 0; begin < matrix.rows; begin += step) {
    const int64_t end = std::min(begin + step, matrix.rows);
    const Tensor decoded = context.backend.to_host(
        ops::dequantize(context.backend, on_device(context.backend, rows_of(matrix, begin, end))));
    context.threads.parallel_for(end - begin, 4, [&](int64_t from, int64_t to) {
      for (int64_t row = from; row < to; ++row)
        sums[static_cast<size_t>(row)] =
            compare(weight, (begin + row) * columns, decoded.as<float>() + row * columns, columns);
    });
    for (int64_t row = 0; row < end - begin; ++row) {
      total.error += sums[static_cast<size_t>(row)].error;
      total.size += sums[static_cast<size_t>(row)].size;
    }
    if (context.rows_done) context.rows_done(end - begin);
  }
  return total.size == 0 ? 0 : std::sqrt(total.error / total.size);
}

void write_container(const Tensor& elements, const std::string& name, SafetensorsWriter& writer) {
  std::vector<uint8_t> values(kPieceBytes);
  const uint8_t* packed = elements.as<uint8_t>();
  for (size_t done = 0; done < elements.bytes();) {
    const size_t bytes = std::min(elements.bytes() - done, kPieceBytes / 2);
    unpack_e2m1(packed + done, 2 * bytes, values.data());
    writer.write(name, values.data(), 2 * bytes);
    done += bytes;
  }
}

// [rows, ceil(columns / 64), 2] without the codes that only fill up the last pair.
void write_block_scale(const QuantizedMatrix& matrix, const std::string& name,
                       SafetensorsWriter& writer) {
  const auto wanted = static_cast<size_t>(matrix.columns / matrix.format->block);
  const size_t held = matrix.block_scale.bytes() / static_cast<size_t>(matrix.rows);
  const uint8_t* codes = matrix.block_scale.as<uint8_t>();
  if (wanted == held) return writer.write(name, codes, matrix.block_scale.bytes());
  for (size_t row = 0; row < static_cast<size_t>(matrix.rows); ++row)
    writer.write(name, codes + row * held, wanted);
}

}  // namespace

Tensor read_tensor(const TensorPlace& place, const CancelToken* cancel) {
  Tensor tensor = Tensor::host(place.dtype, place.shape);
  auto* to = static_cast<uint8_t*>(tensor.mutable_data());
  PieceReader(place.file)
      .read(
          place.offset, place.bytes,
          [&](const uint8_t* data, size_t bytes) {
            std::memcpy(to, data, bytes);
            to += bytes;
          },
          cancel);
  return tensor;
}

void check_weight(ThreadPool& threads, const Tensor& weight, const TensorPlace& place,
                  const std::string& name) {
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  std::vector<uint8_t> bad(static_cast<size_t>(rows), 0);
  const auto is_bad = [&](int64_t i) {
    return !std::isfinite(to_float(to_bf16(value_at(weight, i))));
  };
  threads.parallel_for(rows, 64, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row)
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i)
        bad[static_cast<size_t>(row)] |= is_bad(i);
  });
  const auto row = std::find(bad.begin(), bad.end(), 1) - bad.begin();
  if (row == rows) return;
  int64_t i = row * columns;
  while (!is_bad(i)) ++i;
  const float value = value_at(weight, i);
  fail(ErrorKind::bad_input, "[conversion] ", place.file.string(), ": tensor \"", name, "\" at [",
       row, ", ", i - row * columns, "]: expected a finite number",
       std::isfinite(value) ? " in the range of bf16" : "", ", got ", value);
}

EncodedLayer encode_layer(const RuleContext& context, const WeightRule& rule, const Tensor& weight,
                          const QuantFormat& format) {
  EncodedLayer layer;
  layer.matrix = rule.encode(context, weight, format);
  layer.relative_error = relative_error(context, weight, layer.matrix);
  return layer;
}

void write_part(const QuantizedMatrix& matrix, LayerPart part, const std::string& name,
                SafetensorsWriter& writer) {
  switch (part) {
    case LayerPart::elements:
      return writer.write(name, matrix.elements.data(), matrix.elements.bytes());
    case LayerPart::container:
      return write_container(matrix.elements, name, writer);
    case LayerPart::block_scale:
      return write_block_scale(matrix, name, writer);
    case LayerPart::scale:
      return writer.write(name, matrix.scale.data(), matrix.scale.bytes());
    case LayerPart::zero_offset: {
      const std::vector<float> zeros(static_cast<size_t>(matrix.rows), 0.0f);
      return writer.write(name, zeros.data(), zeros.size() * sizeof(float));
    }
    case LayerPart::bias:
      break;
  }
  MXDIT_CHECK(false, "[conversion] writing ", name,
              ": expected a part of the weight, got the bias");
}

Tensor widened(const Tensor& bias) {
  if (bias.dtype() == DType::f32) return bias;
  Tensor out = Tensor::host(DType::f32, bias.shape());
  for (int64_t i = 0; i < bias.elements(); ++i) out.as_mutable<float>()[i] = value_at(bias, i);
  return out;
}

}  // namespace mxdit::conversion

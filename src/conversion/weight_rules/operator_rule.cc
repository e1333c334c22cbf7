#include "conversion/weight_rules/operator_rule.h"

#include <algorithm>
#include <cstring>

#include "ops/ops.h"

namespace mxdit::conversion {

namespace {

// nv_block needs a scale that is found over the whole tensor before.
bool serves(const QuantFormat& format) {
  return format.rule != ScaleRule::nv_block;
}

Tensor in_half(const Tensor& rows) {
  if (rows.dtype() != DType::f32) return rows;
  Tensor rounded = Tensor::host(DType::bf16, rows.shape());
  const float* from = rows.as<float>();
  uint16_t* to = rounded.as_mutable<uint16_t>();
  for (int64_t i = 0; i < rows.elements(); ++i) to[i] = to_bf16(from[i]).bits;
  return rounded;
}

void put_rows(Backend& backend, const Tensor& part, int64_t begin, Tensor& whole) {
  if (!part.defined()) return;
  const Tensor host = backend.to_host(part);
  const size_t row_bytes = host.bytes() / static_cast<size_t>(host.dim(0));
  std::memcpy(static_cast<uint8_t*>(whole.mutable_data()) + static_cast<size_t>(begin) * row_bytes,
              host.data(), host.bytes());
}

// Rows do not depend on each other, so pieces of them bound the memory and can be stopped between.
QuantizedMatrix encode(const RuleContext& context, const Tensor& weight,
                       const QuantFormat& format) {
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  QuantizedMatrix result = empty_matrix(format, rows, columns);
  const int64_t step = rows_per_piece(columns);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t end = std::min(begin + step, rows);
    const Tensor piece = context.backend.from_host(in_half(weight.slice(begin, end)));
    const QuantizedMatrix part = ops::quantize(context.backend, piece, format);
    put_rows(context.backend, part.elements, begin, result.elements);
    put_rows(context.backend, part.block_scale, begin, result.block_scale);
    put_rows(context.backend, part.scale, begin, result.scale);
    if (context.rows_done) context.rows_done(end - begin);
  }
  return result;
}

}  // namespace

const WeightRule kOperatorRule = {
    "operator", "the operators' own rule, as the online methods quantize: equal bytes", serves,
    encode};

}  // namespace mxdit::conversion

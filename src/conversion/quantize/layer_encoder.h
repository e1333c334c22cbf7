// One layer: its weight read, checked and encoded, and what it loses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "conversion/quantize/weight_types.h"
#include "conversion/weight_rules/weight_rule.h"
#include "core/cancel.h"
#include "io/safetensors.h"

namespace mxdit::conversion {

// A whole tensor in memory of its own, so that the file need not stay mapped. Errors: io,
// cancelled, out_of_memory.
Tensor read_tensor(const TensorPlace& place, const CancelToken* cancel);

// Refuses NaN and infinities, and f32 values that bf16 would make infinite. Error{bad_input} naming
// file, tensor and place.
void check_weight(ThreadPool& threads, const Tensor& weight, const TensorPlace& place,
                  const std::string& name);

struct EncodedLayer {
  QuantizedMatrix matrix;
  double relative_error = 0;  // |W - dequantized| / |W|, Frobenius norms; 0 for a zero weight
};

// `context.rows_done` gets the rows twice: encoded, then compared.
EncodedLayer encode_layer(const RuleContext& context, const WeightRule& rule, const Tensor& weight,
                          const QuantFormat& format);

// Writes one part other than the bias as the tensor `name`, in pieces.
void write_part(const QuantizedMatrix& matrix, LayerPart part, const std::string& name,
                SafetensorsWriter& writer);

// A bias in f32, exactly.
Tensor widened(const Tensor& bias);

}  // namespace mxdit::conversion

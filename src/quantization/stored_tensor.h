// Tensors of one layer as a quantized checkpoint stores them, read strictly.
#pragma once

#include <initializer_list>
#include <string>

#include "quantization/linear_method.h"

namespace mxdit {

// `<layer>.<part>` of one of the dtypes and exactly that shape, in host (mapped) memory. Errors name
// file, tensor, expected and got: not_found when it is missing, bad_input otherwise.
Tensor stored_tensor(const LinearSource& source, const std::string& part,
                     std::initializer_list<DType> dtypes, const Shape& shape);
bool has_stored(const LinearSource& source, const std::string& part);

// The plain `<layer>.weight` [out, in] as quantizers take it: bf16 and f16 as stored, f32 and others
// rounded to bf16. Error{bad_input} for dtypes that are already quantized: integers and fp8.
Tensor plain_weight(const LinearSource& source, int64_t out_features, int64_t in_features);

// Refuses scales and offsets beside a weight that is about to be quantized: `<layer>.<part>` for
// every part that quantized checkpoints have. Error{bad_input} naming the tensor and `asked`, what
// asked for quantization.
void refuse_quantized_parts(const LinearSource& source, const std::string& asked);

// Error{bad_input} naming tensor and first place of a NaN, an infinity, or with `positive` a value
// that is not above 0. f32, f16, bf16 tensors, and fp8 for NaN.
void check_finite(const LinearSource& source, const std::string& part, const Tensor& tensor,
                  bool positive = false);

// Text for messages: "FILE tensor LAYER.PART".
std::string where(const LinearSource& source, const std::string& part);

}  // namespace mxdit

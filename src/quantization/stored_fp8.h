// FP8 weights as checkpoints store them: E4M3 elements and fp32 scales that cover whole rows.
//
// | `<layer>.` | dtype | shape | |
// |---|---|---|---|
// | weight | F8_E4M3 | [out, in] | no NaN |
// | weight_scale, or weight_scale_inv | F32, BF16 | [] or [1]; with row scales also [out], [out, 1] | weight = element * scale, under either name |
// | input_scale | F32, BF16 | [] or [1] | static activations only |
//
// Activations are E4M3 with a scale per token, or static ones with input_scale.
#pragma once

#include <memory>
#include <string>

#include "quantization/linear_method.h"

namespace mxdit {

struct StoredFp8Layout {
  std::string key;                 // name of the method
  bool has_row_scales = false;     // weight_scale may have a value per output channel
  bool accepts_inverse = false;    // weight_scale may be called weight_scale_inv
  bool static_activation = false;  // input_scale is there; else it must not be
};

// Errors of prepare: not_found for a missing tensor; bad_input for another dtype, shape or value,
// for both names of the weight's scale, and for parts that the layout has not.
std::shared_ptr<const LinearMethod> make_stored_fp8_method(const StoredFp8Layout& layout);

}  // namespace mxdit

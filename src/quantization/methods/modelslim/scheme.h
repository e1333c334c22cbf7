// One quantized type of msmodelslim: how its layers are stored and how their activations are encoded.
//
// Layer tensors by type (docs/formats.md):
//   W4A4_MXFP4*   weight, weight_scale, [weight_dual_scale]
//   W8A8_MXFP8    weight, weight_scale
//   W8A8          weight, deq_scale, quant_bias, input_scale, input_offset
//   *_DYNAMIC     weight, weight_scale, [weight_offset]
// and all of them [bias] and [mul_scale].
#pragma once

#include <memory>
#include <string>

#include "quantization/linear_method.h"
#include "quantization/methods/modelslim/description.h"
#include "quantization/step_clock.h"

namespace mxdit::modelslim {

struct SchemeContext {
  std::string type;
  std::shared_ptr<const Description> description;
  std::shared_ptr<const StepClock> clock;  // may be null: step 0
};

using MakeScheme = std::shared_ptr<const LinearMethod> (*)(const SchemeContext& context);

std::shared_ptr<const LinearMethod> make_float(const SchemeContext& context);
std::shared_ptr<const LinearMethod> make_mxfp4(const SchemeContext& context);
std::shared_ptr<const LinearMethod> make_mxfp8(const SchemeContext& context);
std::shared_ptr<const LinearMethod> make_int8_static(const SchemeContext& context);
std::shared_ptr<const LinearMethod> make_int8_dynamic(const SchemeContext& context);
std::shared_ptr<const LinearMethod> make_int4_dynamic(const SchemeContext& context);

}  // namespace mxdit::modelslim

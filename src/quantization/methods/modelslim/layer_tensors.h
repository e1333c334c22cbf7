// The tensors of one layer of a msmodelslim checkpoint, checked against its description.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "quantization/linear_method.h"
#include "quantization/methods/modelslim/description.h"

namespace mxdit::modelslim {

// A dtype and a shape a tensor may have.
struct Form {
  DType dtype;
  Shape shape;
};

class LayerTensors {
 public:
  // All references have to outlive the object.
  LayerTensors(const LinearSource& source, const std::string& type, const Description& description)
      : source_(source), type_(type), description_(description) {}

  // Every tensor below the layer, in the file or the description, has to be one of `parts`; what
  // the description names has to be in the file, with the layer's type or FLOAT. Errors naming
  // tensor and type: bad_input, not_found.
  void allow_only(std::initializer_list<std::string_view> parts) const;

  bool has(const std::string& part) const;
  // `<layer>.<part>` as mapped. Errors: not_found; bad_input with all expected forms and the one got.
  Tensor get(const std::string& part, const std::vector<Form>& forms) const;

  // The layer's bias, if there is one, has to be finite. Its shape is checked by who loads it.
  void check_bias() const;
  // bf16 [in] from mul_scale or div.mul_scale; undefined when there is none or when all are 1.
  // check_smooth_scale() looks at all but the values.
  Tensor smooth_scale(int64_t in_features) const;
  void check_smooth_scale(int64_t in_features) const;
  // weight_scale, E8M0 codes per 32 inputs, u8 [out, in / 32], padded to pairs [out, ceil(in / 64), 2]
  // where needed. `most`: the largest code whose product with the largest element is finite.
  Tensor block_scale(int64_t out_features, int64_t in_features, int most) const;
  Tensor stored_block_scale(int64_t out_features, int64_t in_features) const;
  // Numbers in f32, f16 or bf16 as f32 of the same shape. Errors for what is not finite, and for
  // what is below 0 unless `may_be_negative`.
  Tensor numbers(const std::string& part, const Tensor& stored, bool may_be_negative = false) const;
  // weight_offset of a symmetric quantization, if there is one: [out, 1], zeros. The first checks
  // the shape, the second the values.
  void check_offset_form(int64_t out_features) const;
  void check_offset() const;

  // Error{bad_input}: "FILE tensor LAYER.PART (TYPE): expected ..., got ...".
  [[noreturn]] void refuse(const std::string& part, const std::string& expected,
                           const std::string& got) const;
  const Description& description() const { return description_; }
  const std::string& layer() const { return source_.layer; }

 private:
  // "mul_scale", "div.mul_scale", or empty. Error for both.
  std::string smooth_part() const;

  const LinearSource& source_;
  const std::string& type_;
  const Description& description_;
};

// F32, F16 or BF16 of that shape.
std::vector<Form> number_forms(const Shape& shape);

}  // namespace mxdit::modelslim

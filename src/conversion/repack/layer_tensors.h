// What an exporter stores for a linear layer of each type: names, element types and shapes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"

namespace mxdit::conversion {

struct StoredForm {
  std::vector<DType> dtypes;  // any of them
  Shape shape;
};

struct LayerTensor {
  std::string name;               // last segment: "weight_scale"
  std::vector<StoredForm> forms;  // any of them
  bool required = true;
};

// Tensors of a layer [out, in] but for its bias. Nothing for a type that is not known here; the
// empty type is that of a layer without an entry, plain like FLOAT.
std::optional<std::vector<LayerTensor>> layer_tensors(std::string_view type, int64_t out,
                                                      int64_t in);

// A plain tensor of the model.
StoredForm plain_form(const Shape& shape);

bool is_plain_type(std::string_view type);
bool is_mxfp4_type(std::string_view type);
// Whether only quantized layers have a tensor of this last segment.
bool is_quantization_tensor(std::string_view last_segment);

// "F8_E4M3 [256, 256] or U8 [256, 128]"
std::string describe(const std::vector<StoredForm>& forms);
bool matches(const std::vector<StoredForm>& forms, DType dtype, const Shape& shape);

}  // namespace mxdit::conversion

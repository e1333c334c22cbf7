// The modelslim types that `mxdit quantize` writes, and the tensors of a layer of each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "formats/quant_format.h"

namespace mxdit::conversion {

struct WeightType {
  std::string_view name;       // "W4A4_MXFP4_DUALSCALE"
  const QuantFormat* format;   // null: plain
  int64_t multiple;            // in_features has to be a multiple of it
  const WeightType* fallback;  // the type of layers that do not fit
};

extern const WeightType kFloat, kW8A8Mxfp8, kW4A4Mxfp4, kW4A4Mxfp4Dualscale, kW8A8Dynamic,
    kW4A4Dynamic;

// All that --type takes: without FLOAT.
std::span<const WeightType* const> weight_types();

// Error{usage} for an unknown name, with the known ones.
const WeightType& find_weight_type(const std::string& name);

// What a stored tensor holds of a quantized layer.
enum class LayerPart { bias, elements, container, block_scale, scale, zero_offset };

struct StoredPart {
  std::string_view name;  // "weight_scale"
  LayerPart part;
  DType dtype;
  Shape shape;
};

// Tensors of a quantized layer [out, in], bias included, in the order of their names. `container`:
// E2M1 elements as E4M3 values, one a byte, instead of packed.
std::vector<StoredPart> stored_parts(const WeightType& type, int64_t out, int64_t in,
                                     bool container);

}  // namespace mxdit::conversion

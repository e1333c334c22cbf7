// A matrix [rows, columns] in a QuantFormat: the activation between quantize and a product, or a
// weight on its way into a prepared one.
#pragma once

#include <memory>

#include "core/tensor.h"
#include "formats/quant_format.h"

namespace mxdit {

// What a back end keeps of an operand between products; only its maker looks inside.
class PackedOperand {
 public:
  virtual ~PackedOperand() = default;
};

struct QuantizedMatrix {
  const QuantFormat* format = nullptr;
  int64_t rows = 0, columns = 0;
  // Shapes as QuantFormat gives them; parts that the format has not are undefined tensors.
  Tensor elements;
  Tensor block_scale;
  Tensor scale;  // f32
  // Left by a product for the next ones with the same left operand, as q, k and v have it. Whoever
  // writes to the tensors drops it.
  mutable std::shared_ptr<PackedOperand> packed = nullptr;

  uint64_t bytes() const {
    return elements.bytes() + (block_scale.defined() ? block_scale.bytes() : 0) +
           (scale.defined() ? scale.bytes() : 0);
  }
};

// What encoding takes beside the numbers.
struct QuantizeOptions {
  // Multiplied to every row first, rounded to x's dtype: [columns] in x's dtype. Null: none.
  const Tensor* smooth_scale = nullptr;
  RoundMode round = RoundMode::rint;
  // row_maximum: a given scale instead of each row's own (static quantization), and what is added
  // before rounding (integers only). 0: dynamic. nv_block: the fp32 scale above the block scales,
  // which has to be given.
  float static_scale = 0.0f;
  float static_offset = 0.0f;
};

}  // namespace mxdit

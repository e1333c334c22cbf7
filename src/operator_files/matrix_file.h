// A quantized matrix as tensors of a file: names and shapes of the operators.
#pragma once

#include <string>

#include "formats/quantized_matrix.h"
#include "operator_files/tensor_file.h"

namespace mxdit::operator_files {

// The names under which the parts of a matrix lie.
struct PartNames {
  std::string elements, block_scale, scale;
};

// "y", "l0", "l1" or "y", "scale".
PartNames output_names(const QuantFormat& format);
// "x1", "x1_l0", "x1_l1" or "x1", "x1_scale".
PartNames operand_names(const QuantFormat& format, const std::string& operand);

// Error{usage} naming --format and the known ones.
const QuantFormat& parse_format(const std::string& name);

// A matrix with its leading axes joined; `shape` receives that of the elements as stored.
// `transposed_scale`: group scales lie as [groups, rows].
QuantizedMatrix take_matrix(TensorFile& file, const QuantFormat& format, const PartNames& names,
                            bool transposed_scale, Shape* shape);

}  // namespace mxdit::operator_files

#include <algorithm>
#include <cstring>

#include "conversion/weight_rules/minmax_rule.h"
#include "conversion/weight_rules/operator_rule.h"
#include "conversion/weight_rules/weight_rule.h"
#include "core/error.h"

namespace mxdit::conversion {

namespace {

constexpr int64_t kPieceElements = int64_t{1} << 20;

Tensor zeros(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::host(dtype, shape);
  if (tensor.bytes() > 0) std::memset(tensor.mutable_data(), 0, tensor.bytes());
  return tensor;
}

}  // namespace

std::span<const WeightRule* const> weight_rules() {
  // One line per rule.
  static constexpr const WeightRule* kRules[] = {
      &kOperatorRule,
      &kMinmaxRule,
  };
  return kRules;
}

const WeightRule& find_weight_rule(const std::string& name) {
  std::string known;
  for (const WeightRule* rule : weight_rules()) {
    if (name == rule->name) return *rule;
    known += (known.empty() ? "" : ", ") + std::string(rule->name);
  }
  fail(ErrorKind::usage, "[conversion] --rule: expected one of ", known, ", got \"", name, "\"");
}

QuantizedMatrix empty_matrix(const QuantFormat& format, int64_t rows, int64_t columns) {
  QuantizedMatrix matrix{&format, rows, columns, {}, {}, {}};
  matrix.elements = zeros(format.element->storage, format.elements_shape(rows, columns));
  if (format.block != 0)
    matrix.block_scale = zeros(format.block_scale_type, format.block_scale_shape(rows, columns));
  if (format.has_scale()) matrix.scale = zeros(DType::f32, format.scale_shape(rows, columns));
  return matrix;
}

int64_t rows_per_piece(int64_t columns) {
  return std::max<int64_t>(1, kPieceElements / std::max<int64_t>(1, columns));
}

}  // namespace mxdit::conversion

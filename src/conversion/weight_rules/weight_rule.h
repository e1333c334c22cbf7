// How the numbers of a weight become elements and scales: the place for every way to quantize a
// weight. A rule is a file in this folder and a line in registry.cc; docs/adding-a-method.md says
// how one is added.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "core/thread_pool.h"
#include "formats/quantized_matrix.h"

namespace mxdit::conversion {

// What a rule works with.
struct RuleContext {
  Backend& backend;
  ThreadPool& threads;
  // To be called with the number of rows dealt with, from the calling thread: progress, and the
  // point where a run is stopped (throws Error{cancelled}). May be empty.
  std::function<void(int64_t rows)> rows_done;
};

struct WeightRule {
  const char* name;     // of --rule
  const char* summary;  // one line of --rule's help
  bool (*serves)(const QuantFormat& format);
  // weight [rows, columns] in bf16, f16 or f32, finite, in host memory; the result is in host
  // memory and depends neither on the number of threads nor on the machine.
  QuantizedMatrix (*encode)(const RuleContext& context, const Tensor& weight,
                            const QuantFormat& format);
};

std::span<const WeightRule* const> weight_rules();

// Error{usage} for an unknown name, with the known ones.
const WeightRule& find_weight_rule(const std::string& name);

// Host memory for all parts of a matrix, zeroed.
QuantizedMatrix empty_matrix(const QuantFormat& format, int64_t rows, int64_t columns);

// Rows at a time, for work on a weight piece by piece.
int64_t rows_per_piece(int64_t columns);

}  // namespace mxdit::conversion

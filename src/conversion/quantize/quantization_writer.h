// Quantizes one transformer, layer by layer, into files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "conversion/quantize/quantization_plan.h"
#include "core/cancel.h"

namespace mxdit::conversion {

struct QuantizationWriter {
  Backend& backend;
  ThreadPool& threads;
  const WeightRule& rule;
  std::filesystem::path folder;  // exists
  std::string stem;              // "diffusion_pytorch_model"
  uint64_t max_shard_bytes = 0;
  std::function<void(uint64_t)> progress;  // source bytes dealt with since the last call
  const CancelToken* cancel = nullptr;
};

struct WrittenQuantization {
  std::vector<double> relative_errors;  // beside the plan's layers; 0 for plain ones
  int64_t files = 0;
};

// Shards, their index and quant_model_description.json. Memory: one weight, its quantized form, and
// pieces. Errors: bad_input for a weight that is not finite; io; cancelled.
WrittenQuantization write_quantized(const QuantizationPlan& plan, const QuantizationWriter& writer);

// Bytes of the tensors that the plan reads, each once: the total of `progress`.
uint64_t source_bytes(const QuantizationPlan& plan);

}  // namespace mxdit::conversion

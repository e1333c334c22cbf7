// How much memory a run takes beside the mapped checkpoint, stage by stage, before it starts.
//
// Weights of linears that are used from the file's mapping the system may drop and reread, so they
// are listed, not counted. Counted is what must stay: weights quantized at load, activations,
// repacked convolution weights, results. The figures are upper estimates derived from the
// configurations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/loader.h"

namespace mxdit {

struct StageMemory {
  std::string stage;
  uint64_t bytes = 0;
};

struct MemoryPlan {
  std::vector<StageMemory> stages;
  uint64_t weight_bytes = 0;    // weights that are not mapped: alive in every stage
  uint64_t resident_bytes = 0;  // the program and the results, alive in every stage
  uint64_t mapped_bytes = 0;    // the checkpoint's files

  uint64_t peak_bytes() const;
};

// Convolution kernels are reordered in memory, as f32 at most; other weights stay in the file.
uint64_t repacked_bytes(const WeightStore& weights);

MemoryPlan plan_memory(const Checkpoint& checkpoint, Backend& backend,
                       const SamplingParams& params, DType compute);

// Error{out_of_memory} with the plan's peak when it exceeds `limit` bytes, or, with limit 0, what
// the machine has available: of that, weights that are `loaded` already take nothing more.
void check_memory(const MemoryPlan& plan, uint64_t limit, bool loaded, const LogSink& log);

}  // namespace mxdit

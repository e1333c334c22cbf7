// Writes a complete diffusers folder of random weights, for benchmarks and tests at real sizes
// where no trained checkpoint is at hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "random_models/wan_shapes.h"

namespace mxdit::tools {

struct RandomCheckpoint {
  random_models::WanShape shape;
  std::filesystem::path output;     // a folder that does not exist yet, or is empty
  std::filesystem::path tokenizer;  // its files are copied; spiece.model gives the vocabulary
  int64_t vocabulary = 0;           // 0: as large as the tokenizer's
  uint64_t seed = 0;
};

// Same arguments, same bytes. model_index.json comes last, so an interrupted run leaves no model.
// `report` gets a line per component. Errors: usage (output not empty), not_found (tokenizer),
// bad_input (vocabulary too small), io.
void write_random_checkpoint(const RandomCheckpoint& checkpoint,
                             const std::function<void(const std::string&)>& report);

}  // namespace mxdit::tools

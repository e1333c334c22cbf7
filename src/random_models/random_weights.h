// Weights of random values, for measurements and tests at real sizes where no trained checkpoint is
// at hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/tensor.h"
#include "random_models/wan_shapes.h"

namespace mxdit::random_models {

// Nearly normal values; same arguments, same values. f32 or bf16, host memory.
void fill_random(Tensor& tensor, float mean, float deviation, uint64_t seed);

// One safetensors file of bf16 tensors. `scope` goes into the seeds beside the tensors' names, so
// that two files differ and a tensor does not depend on the others. Nothing is held in memory but a
// piece of 2 MiB. Errors: io; cancelled, which leaves no file.
void write_random_weights(const std::filesystem::path& file, const std::string& scope,
                          const std::vector<RandomTensor>& tensors, uint64_t seed,
                          const CancelToken* cancel = nullptr);

}  // namespace mxdit::random_models

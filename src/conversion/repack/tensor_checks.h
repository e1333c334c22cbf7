// Whether a checkpoint holds what its model needs, and its description says the same.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "conversion/repack/wan_names.h"
#include "core/dtype.h"
#include "core/shape.h"
#include "models/wan_dit/tensor_names.h"

namespace mxdit::conversion {

struct HeldTensor {
  std::string name;  // in its file
  std::string file;
  DType dtype = DType::f32;
  Shape shape;
};

// A checkpoint under diffusers' names.
struct NamedCheckpoint {
  std::string folder;
  std::string description_file;
  Direction direction = Direction::to_diffusers;  // how names in messages are made
  std::map<std::string, HeldTensor> tensors;
  std::map<std::string, std::string> types;  // entries of the description
};

// Every tensor of the model has to be there, plain or in the form of its declared type, and no
// tensor that nobody reads; a layer with tensors of a quantized one has to be declared. Returns
// warnings for the summary. Errors, naming file, tensor, expected and got: not_found, bad_input.
std::vector<std::string> check_tensors(const NamedCheckpoint& checkpoint,
                                       const std::vector<wan_dit::ModelTensor>& needed);

}  // namespace mxdit::conversion

// Every intermediate of a run, in diffusers' names and shapes, for comparison (docs/formats.md).
//
// Videos are computed one after the other; a tensor recorded for several videos is joined along
// the batch axis when the file is written.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/tensor.h"

namespace mxdit {

class Trace {
 public:
  // A tensor [B, ...] of all videos or prompts at once, or one without a batch axis (sigmas).
  // Activations are stored as f32; integers as they are.
  void record(Backend& backend, const std::string& name, const Tensor& tensor);
  // The next row [1, ...] of a tensor that has one row per video.
  void append(Backend& backend, const std::string& name, const Tensor& row);
  // The same for f32 and integers in host memory.
  void record_host(const std::string& name, const Tensor& tensor);
  void append_host(const std::string& name, const Tensor& row);

  void write(const std::filesystem::path& path,
             const std::map<std::string, std::string>& metadata) const;

 private:
  std::map<std::string, std::vector<Tensor>> rows_;
};

// Host tensors [1, ...] of equal shape, one below the other.
Tensor join_rows(const std::vector<Tensor>& rows);

}  // namespace mxdit

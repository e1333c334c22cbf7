// Writing one transformer: shards, index and description.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "conversion/repack/component_plan.h"
#include "core/cancel.h"

namespace mxdit::conversion {

struct WriteOptions {
  std::filesystem::path folder;  // exists
  std::string stem;              // "diffusion_pytorch_model"
  uint64_t max_shard_bytes = 0;
  std::function<void(uint64_t)> progress;  // source bytes dealt with since the last call
  const CancelToken* cancel = nullptr;
};

struct WrittenComponent {
  uint64_t bytes = 0;  // of tensors
  int64_t shards = 0;
  int64_t kept = 0;  // shards that were complete already
};

// Shards that `folder` holds completely are kept: the caller answers for their having been made
// from the same inputs. Memory: headers and one piece (file_pieces.h). Errors: bad_input for a
// container value off the E2M1 grid; io; cancelled.
WrittenComponent write_component(const ComponentPlan& plan, const WriteOptions& options);

}  // namespace mxdit::conversion

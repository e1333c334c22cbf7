// Progress of work that is counted in bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "mxdit/engine.h"

namespace mxdit::conversion {

// One stage, in units of a MiB. Reports its begin when it is made.
class StageProgress {
 public:
  // `sink` may be empty; it has to outlive this.
  StageProgress(const ProgressSink& sink, const std::string& stage, uint64_t total_bytes);

  void add(uint64_t bytes);
  void end();

 private:
  void emit();

  const ProgressSink& sink_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Progress state_;
  uint64_t bytes_ = 0;
};

}  // namespace mxdit::conversion

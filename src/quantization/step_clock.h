// Which denoising step runs: timestep policies choose a layer's precision by it.
#pragma once

#include <cstdint>

namespace mxdit {

// Set by the denoising loop before each step, read by layers. One thread.
class StepClock {
 public:
  void set(int64_t step) noexcept { step_ = step; }
  int64_t step() const noexcept { return step_; }  // from 0

 private:
  int64_t step_ = 0;
};

}  // namespace mxdit

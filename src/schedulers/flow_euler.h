// Euler's method on the flow-matching path: x_{i+1} = x_i + (sigma_{i+1} - sigma_i) * velocity.
//
// Follows diffusers 0.42 FlowMatchEulerDiscreteScheduler without custom sigmas: the ends of the
// training levels are shifted when the scheduler is built, and the levels between the shifted ends
// are shifted again; timesteps are fractions, sigma * T.
#pragma once

#include <vector>

#include "schedulers/scheduler.h"

namespace mxdit {

struct FlowEulerConfig {
  int num_train_timesteps = 1000;
  double shift = 1.0;
  double shift_terminal = 0.0;  // 0: not stretched; else the last level before the end point
  bool invert_sigmas = false;   // levels 1 - sigma, ending at 1
};

class FlowEulerScheduler final : public Scheduler {
 public:
  explicit FlowEulerScheduler(const FlowEulerConfig& config);
  std::string_view name() const noexcept override { return "FlowMatchEulerDiscreteScheduler"; }

 protected:
  void make_schedule(int steps, std::vector<float>* timesteps,
                     std::vector<float>* sigmas) const override;
  void forget() override {}
  Tensor advance(Backend& backend, const Tensor& model_output, int index,
                 const Tensor& sample) override;

 private:
  FlowEulerConfig config_;
};

}  // namespace mxdit

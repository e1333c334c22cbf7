#include "schedulers/flow_euler.h"

#include <array>

#include "schedulers/spacing.h"

namespace mxdit {
namespace {

// A shifted end of the training levels. diffusers computes these two in float32.
double shifted_end(float shift, float level) {
  return shift * level / (1.0f + (shift - 1.0f) * level);
}

}  // namespace

FlowEulerScheduler::FlowEulerScheduler(const FlowEulerConfig& config)
    : Scheduler(config.num_train_timesteps), config_(config) {}

void FlowEulerScheduler::make_schedule(int steps, std::vector<float>* timesteps,
                                       std::vector<float>* sigmas) const {
  const int train = config_.num_train_timesteps;
  const float shift = static_cast<float>(config_.shift);
  std::vector<double> levels =
      linspace(shifted_end(shift, 1.0f) * train, shifted_end(shift, 1.0f / train) * train, steps);
  for (double& s : levels) s /= train;
  shift_levels(config_.shift, &levels);
  if (config_.shift_terminal != 0) stretch_levels(config_.shift_terminal, &levels);
  for (const double level : levels) {
    float sigma = static_cast<float>(level);
    if (config_.invert_sigmas) sigma = 1.0f - sigma;
    sigmas->push_back(sigma);
    timesteps->push_back(sigma * train);
  }
  sigmas->push_back(config_.invert_sigmas ? 1.0f : 0.0f);
}

Tensor FlowEulerScheduler::advance(Backend& backend, const Tensor& model_output, int index,
                                   const Tensor& sample) {
  const size_t i = static_cast<size_t>(index);
  const std::array<float, 2> coefficients = {1.0f, sigmas()[i + 1] - sigmas()[i]};
  const std::array<const Tensor*, 2> inputs = {&sample, &model_output};
  Tensor next = backend.empty(DType::f32, sample.shape());
  backend.linear_combination(coefficients, inputs, next);
  return next;
}

}  // namespace mxdit

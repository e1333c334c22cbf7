// A sampler: the noise levels of a run and the update that goes from one to the next.
//
// Used by the denoise stage: set_timesteps(n), then for i = 0..n-1 the model's output at
// timesteps()[i] goes into step(). A multistep sampler keeps earlier outputs inside, so the steps
// are made in order and one object serves one run at a time. All tensor arithmetic is
// Backend::linear_combination; coefficients are computed on the host in double.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "core/tensor.h"

namespace mxdit {

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // diffusers' class name.
  virtual std::string_view name() const noexcept = 0;
  int num_train_timesteps() const noexcept { return num_train_timesteps_; }

  // Fixes the noise levels of a run of `steps` >= 1 and forgets everything of the run before.
  // Error{usage} for a number of steps that the schedule cannot have.
  void set_timesteps(int steps);
  // Forgets the outputs seen; the next step is 0 again.
  void reset();

  // What the model is told at step i, as diffusers' `scheduler.timesteps`: whole numbers for UniPC,
  // fractions for Euler. Size: steps.
  const std::vector<float>& timesteps() const noexcept { return timesteps_; }
  // Noise levels, as diffusers' `scheduler.sigmas`. Size: steps + 1; the last one is the end point.
  const std::vector<float>& sigmas() const noexcept { return sigmas_; }

  // How many tensors like the sample later steps need beyond what the first one does.
  virtual int history() const noexcept { return 0; }

  // The sample at sigmas()[index + 1], f32, shaped as `sample`. `model_output` (f32 or bf16, same
  // shape) is the prediction for `sample` (f32) at timesteps()[index]. Steps out of order are
  // Error{internal}, foreign shapes and dtypes too. The returned tensor is new memory.
  Tensor step(Backend& backend, const Tensor& model_output, int index, const Tensor& sample);

 protected:
  explicit Scheduler(int num_train_timesteps) : num_train_timesteps_(num_train_timesteps) {}

  // Fills both vectors for `steps` steps.
  virtual void make_schedule(int steps, std::vector<float>* timesteps,
                             std::vector<float>* sigmas) const = 0;
  virtual void forget() = 0;
  virtual Tensor advance(Backend& backend, const Tensor& model_output, int index,
                         const Tensor& sample) = 0;

 private:
  int num_train_timesteps_;
  int next_ = 0;
  std::vector<float> timesteps_;
  std::vector<float> sigmas_;
};

}  // namespace mxdit

#include "schedulers/scheduler.h"

#include <cmath>

#include "core/error.h"

namespace mxdit {

void Scheduler::set_timesteps(int steps) {
  if (steps < 1) {
    fail(ErrorKind::usage, "[schedulers] number of steps: expected at least 1, got ", steps);
  }
  std::vector<float> timesteps, sigmas;
  make_schedule(steps, &timesteps, &sigmas);
  for (const float sigma : sigmas) {
    if (!std::isfinite(sigma)) {
      fail(ErrorKind::usage, "[schedulers] ", name(),
           ": expected finite noise levels, got none for ", steps, " steps with this shift");
    }
  }
  // Two steps at one level would divide by their distance of zero. The end point may repeat.
  for (size_t i = 1; i + 1 < sigmas.size(); ++i) {
    if (sigmas[i] == sigmas[i - 1]) {
      fail(ErrorKind::usage, "[schedulers] ", name(),
           ": expected distinct noise levels, got equal ", "ones at step ", i, " of ", steps);
    }
  }
  timesteps_ = std::move(timesteps);
  sigmas_ = std::move(sigmas);
  reset();
}

void Scheduler::reset() {
  next_ = 0;
  forget();
}

Tensor Scheduler::step(Backend& backend, const Tensor& model_output, int index,
                       const Tensor& sample) {
  const int steps = static_cast<int>(timesteps_.size());
  MXDIT_CHECK(index == next_ && index < steps, "[schedulers] ", name(), " step: expected index ",
              next_, " of ", steps, ", got ", index);
  MXDIT_CHECK(sample.defined() && sample.dtype() == DType::f32,
              "[schedulers] sample: expected f32, got ", mxdit::name(sample.dtype()));
  const DType dtype = model_output.dtype();
  MXDIT_CHECK(model_output.defined() && (dtype == DType::f32 || dtype == DType::bf16),
              "[schedulers] model output: expected f32 or bf16, got ", mxdit::name(dtype));
  MXDIT_CHECK(model_output.shape() == sample.shape(), "[schedulers] model output: expected shape ",
              sample.shape(), ", got ", model_output.shape());
  Tensor next = advance(backend, model_output, index, sample);
  ++next_;
  return next;
}

}  // namespace mxdit

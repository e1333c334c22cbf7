// UniPC: a predictor-corrector multistep solver (Zhao et al. 2023, arXiv:2302.04867), B(h) form, on
// the flow-matching path x_sigma = (1 - sigma) x_0 + sigma noise.
//
// Follows diffusers 0.42 UniPCMultistepScheduler step for step: x_0 prediction from a velocity,
// orders 1 to 3, noise levels linspace(1, 1/T, n + 1)[:-1] shifted once, whole-number timesteps cut
// towards zero. Where diffusers' last step is not finite (bh1, or lower_order_final off, with an
// end point of 0) the step has order 1 and gives x_0. SGLang's FlowUniPCMultistepScheduler differs:
// it shifts sigma_max when it is built and shifts the levels between the shifted ends again. mxdit
// follows diffusers.
#pragma once

#include <vector>

#include "schedulers/scheduler.h"

namespace mxdit {

struct UniPcConfig {
  int num_train_timesteps = 1000;
  int solver_order = 2;                    // 1..3
  bool bh2 = true;                         // B(h) = e^h - 1, else B(h) = h
  bool lower_order_final = true;           // low order in the last steps
  bool final_sigma_zero = true;            // else the last level is repeated (`sigma_min`)
  std::vector<int64_t> disable_corrector;  // steps after which the sample is not corrected
  double flow_shift = 1.0;
  double shift_terminal = 0.0;  // 0: not stretched; else the last level before the end point
};

class UniPcScheduler final : public Scheduler {
 public:
  explicit UniPcScheduler(UniPcConfig config);
  std::string_view name() const noexcept override { return "UniPCMultistepScheduler"; }
  // Earlier outputs, the last sample and the corrected one.
  int history() const noexcept override { return config_.solver_order + 2; }

 protected:
  void make_schedule(int steps, std::vector<float>* timesteps,
                     std::vector<float>* sigmas) const override;
  void forget() override;
  Tensor advance(Backend& backend, const Tensor& model_output, int index,
                 const Tensor& sample) override;

 private:
  Tensor correct(Backend& backend, const Tensor& x0, int index, int order) const;
  Tensor predict(Backend& backend, const Tensor& sample, int index, int order) const;
  bool corrects(int index) const;

  UniPcConfig config_;
  std::vector<Tensor> outputs_;  // x_0 predictions, newest last, at most solver_order
  Tensor last_sample_;           // the (corrected) sample that the last predictor started from
  int last_order_ = 0;
};

}  // namespace mxdit

#include "stages/denoise.h"

#include "ops/ops.h"

namespace mxdit {
namespace {

// One network with the guidance that belongs to it.
struct Expert {
  const Denoiser* model;
  float guidance;
};

Expert expert_at(const Components& components, const SamplingParams& params, float timestep) {
  const double boundary =
      params.boundary_ratio.value_or(0.0) * components.scheduler->num_train_timesteps();
  if (!params.boundary_ratio || timestep >= boundary)
    return {components.transformer, static_cast<float>(params.guidance_scale)};
  return {components.transformer_2, static_cast<float>(params.guidance_scale_2)};
}

class Loop {
 public:
  Loop(const Components& components, const RunContext& context, RunState& state)
      : components_(components), context_(context), state_(state), backend_(*components.backend) {
    const int64_t row = state.prompt_index();
    text_ = state.prompt_embeds.slice(row, row + 1);
    if (state.params.guided()) negative_text_ = state.negative_prompt_embeds;
  }

  // One step: predicts, guides, moves the sample to the next noise level.
  void step(int index) {
    const float timestep = components_.scheduler->timesteps()[static_cast<size_t>(index)];
    const Expert expert = expert_at(components_, state_.params, timestep);
    const Tensor input = ops::cast(backend_, sample_, components_.compute);
    Tensor noise = predict(*expert.model, input, timestep, text_);
    record(index, ".noise_cond", noise);
    if (state_.params.guided()) {
      const Tensor uncond = predict(*expert.model, input, timestep, negative_text_);
      record(index, ".noise_uncond", uncond);
      noise = guide(noise, uncond, expert.guidance);
    }
    sample_ = components_.scheduler->step(backend_, noise, index, sample_);
    record(index, ".latents", sample_);
  }

  void begin() { sample_ = backend_.from_host(state_.latents); }
  void end() { state_.latents = backend_.to_host(sample_); }

 private:
  Tensor predict(const Denoiser& model, const Tensor& input, float timestep, const Tensor& text) {
    DenoiserInput in;
    in.latents = input;
    in.timesteps = {timestep};
    in.text = text;
    return model.forward(in, context_.cancel);
  }

  // uncond + guidance * (cond - uncond)
  Tensor guide(const Tensor& cond, const Tensor& uncond, float guidance) {
    const float coefficients[] = {1.0f - guidance, guidance};
    const Tensor* const inputs[] = {&uncond, &cond};
    return ops::linear_combination(backend_, coefficients, inputs, DType::f32);
  }

  void record(int index, const char* what, const Tensor& tensor) {
    if (state_.trace != nullptr)
      state_.trace->append(backend_, "step" + std::to_string(index) + what, tensor);
  }

  const Components& components_;
  const RunContext& context_;
  RunState& state_;
  Backend& backend_;
  Tensor text_, negative_text_;
  Tensor sample_;  // f32 on the device
};

}  // namespace

void Denoise::run(const Components& components, const RunContext& context, RunState& state) const {
  Scheduler& scheduler = *components.scheduler;
  const int steps = state.params.num_inference_steps;
  scheduler.set_timesteps(steps);
  if (state.trace != nullptr) {
    Tensor sigmas = Tensor::host(DType::f32, {static_cast<int64_t>(scheduler.sigmas().size())});
    std::copy(scheduler.sigmas().begin(), scheduler.sigmas().end(), sigmas.as_mutable<float>());
    state.trace->record(*components.backend, "sigmas", sigmas);
  }
  StageProgress progress(context, "denoise", steps);
  Loop loop(components, context, state);
  loop.begin();
  for (int i = 0; i < steps; ++i) {
    check_cancelled(context.cancel);
    loop.step(i);
    components.backend->synchronize();
    progress.step(i + 1);
    state.report.denoise_step_seconds.push_back(progress.last_step_seconds());
  }
  loop.end();
  progress.end();
}

}  // namespace mxdit

#include "stages/denoise.h"

#include <algorithm>

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
    text_.text = embeds(state.prompt_embeds.slice(row, row + 1));
    if (state.params.guided()) negative_text_.text = embeds(state.negative_prompt_embeds);
  }

  // One step: predicts, guides, moves the sample to the next noise level.
  void step(int index) {
    const float timestep = components_.scheduler->timesteps()[static_cast<size_t>(index)];
    const Expert expert = expert_at(components_, state_.params, timestep);
    prepare(*expert.model);
    const Tensor input = ops::cast(backend_, sample_, components_.compute);
    Tensor noise = predict(*expert.model, input, timestep, text_);
    record(index, ".noise_cond", noise);
    if (state_.params.guided()) {
      const Tensor uncond = predict(*expert.model, input, timestep, negative_text_);
      record(index, ".noise_uncond", uncond);
      noise = guide(noise, uncond, expert.guidance);
    }
    sample_ = components_.scheduler->step(backend_, noise, index, sample_);
    reserved_.clear();
    record(index, ".latents", sample_);
  }

  void begin() {
    sample_ = backend_.from_host(state_.latents);
    for (int i = 0; i < components_.scheduler->history(); ++i)
      reserved_.push_back(backend_.empty(sample_.dtype(), sample_.shape()));
    if (!backend_.memory()) return;
    for (const Denoiser* model : {components_.transformer, components_.transformer_2})
      if (model != nullptr) settle(*model);
  }
  void end() { state_.latents = backend_.to_host(sample_); }

 private:
  // A device with memory of its own lays weights out and casts biases when they are first multiplied
  // with. Both experts do so before the first step, on one patch and one token of zeros, so that no
  // later step asks for memory.
  void settle(const Denoiser& model) const {
    const auto patch = model.patch_size();
    DenoiserInput in;
    in.latents = zeros({1, model.in_channels(), patch[0], patch[1], patch[2]});
    in.timesteps = {0.0f};
    in.text = zeros({1, 1, model.text_width()});
    model.forward(in, context_.cancel);
  }
  Tensor zeros(const Shape& shape) const {
    Tensor host = Tensor::host(DType::f32, shape);
    std::fill_n(host.as_mutable<float>(), host.elements(), 0.0f);
    return ops::cast(backend_, backend_.from_host(host), components_.compute);
  }

  // A text and what the present expert made of it.
  struct Condition {
    Tensor text;
    std::shared_ptr<const TextContext> context;
  };

  // What depends on the text alone is computed once per expert and precision, not once per step.
  void prepare(const Denoiser& model) {
    for (Condition* condition : {&text_, &negative_text_}) {
      if (!condition->text.defined()) continue;
      std::shared_ptr<const TextContext>& context = condition->context;
      if (prepared_for_ == &model && (context == nullptr || model.is_current(*context))) continue;
      context.reset();  // before the new one takes memory
      context = model.encode_context(condition->text, Tensor());
    }
    prepared_for_ = &model;
  }

  Tensor predict(const Denoiser& model, const Tensor& input, float timestep,
                 const Condition& condition) {
    DenoiserInput in;
    in.latents = input;
    in.timesteps = {timestep};
    in.text = condition.text;
    in.context = condition.context;
    return model.forward(in, context_.cancel);
  }

  Tensor embeds(const Tensor& rows) { return ops::cast(backend_, rows, components_.compute); }

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
  Condition text_, negative_text_;
  const Denoiser* prepared_for_ = nullptr;
  Tensor sample_;  // f32 on the device
  // Held during the first step, so that a pool has memory for what the scheduler will keep: later
  // steps take none from the system.
  std::vector<Tensor> reserved_;
};

void record_schedule(const Scheduler& scheduler, Trace& trace) {
  const auto record = [&](const char* name, const std::vector<float>& values) {
    Tensor tensor = Tensor::host(DType::f32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), tensor.as_mutable<float>());
    trace.record_host(name, tensor);
  };
  record("sigmas", scheduler.sigmas());
  record("timesteps", scheduler.timesteps());
}

}  // namespace

void Denoise::run(const Components& components, const RunContext& context, RunState& state) const {
  Scheduler& scheduler = *components.scheduler;
  const int steps = state.params.num_inference_steps;
  scheduler.set_timesteps(steps);
  if (state.trace != nullptr) {
    record_schedule(scheduler, *state.trace);
  }
  StageProgress progress(context, "denoise", steps);
  Loop loop(components, context, state);
  loop.begin();
  for (int i = 0; i < steps; ++i) {
    check_cancelled(context.cancel);
    if (components.clock != nullptr) components.clock->set(i);
    const DeviceCounters before = components.backend->counters();
    loop.step(i);
    components.backend->synchronize();
    progress.step(i + 1);
    state.report.denoise_step_seconds.push_back(progress.last_step_seconds());
    const DeviceCounters step = components.backend->counters().since(before);
    if (step.operator_calls > 0) state.report.denoise_step_counters.push_back(step);
  }
  loop.end();
  progress.end();
}

}  // namespace mxdit

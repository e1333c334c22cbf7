#include "mxdit/engine.h"

#include <cmath>
#include <new>

#include "backend/registry.h"
#include "core/error.h"
#include "engine/checkpoint_options.h"
#include "engine/request.h"
#include "engine/run_plan.h"
#include "io/safetensors.h"
#include "stages/decode.h"

namespace mxdit {
namespace {

std::string number(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

struct Engine::State {
  explicit State(const EngineOptions& given)
      : options(given),
        compute(parse_compute(given.dtype)),
        backend(make_backend(given.device, {given.threads, given.isa})),
        checkpoint(checkpoint_options(given, clock)),
        pipeline(
            Pipeline::make(checkpoint.folder().class_name(), checkpoint.folder().index_file())) {}

  SizeRules size_rules() const;
  SamplingParams resolve(const GenerateRequest& request) const;
  RunPlan plan(const SamplingParams& params, const GenerateRequest& request,
               const VideoEncoding& encoding) const;
  void load(const RunContext& context);
  Components components(Scheduler* scheduler) const;
  MediaMetadata describe(const RunState& run) const;

  EngineOptions options;
  DType compute;
  std::unique_ptr<Backend> backend;
  std::shared_ptr<StepClock> clock = std::make_shared<StepClock>();
  Checkpoint checkpoint;
  Pipeline pipeline;
  std::optional<LoadedModel> model;
  mutable std::string hash;  // computed at first use
  mutable std::string quantization;
};

SizeRules Engine::State::size_rules() const {
  const CheckpointGeometry geometry = checkpoint.geometry();
  return {geometry.scale_spatial * geometry.patch_width,
          geometry.scale_spatial * geometry.patch_height, geometry.scale_temporal};
}

SamplingParams Engine::State::resolve(const GenerateRequest& request) const {
  return resolve_request(request, checkpoint.defaults(), size_rules(), checkpoint.has_two_experts(),
                         options.log);
}

RunPlan Engine::State::plan(const SamplingParams& params, const GenerateRequest& request,
                            const VideoEncoding& encoding) const {
  RunPlan plan = plan_stages({.checkpoint = checkpoint,
                              .backend = *backend,
                              .compute = compute,
                              .weight_cache = !options.quantization_cache.empty(),
                              .save_latents = !request.save_latents_path.empty(),
                              .trace = !request.trace_path.empty(),
                              .encoding = encoding},
                             params);
  judge(plan, options.max_memory_bytes, model.has_value(), backend->memory());
  return plan;
}

void Engine::State::load(const RunContext& context) {
  if (model) return;
  StageProgress progress(context, "load", checkpoint.networks());
  model = checkpoint.load(*backend, compute, [&](int64_t done, int64_t) {
    progress.step(done);
    check_cancelled(context.cancel);
  });
  backend->release_idle();
  progress.end();
}

Components Engine::State::components(Scheduler* scheduler) const {
  Components parts;
  parts.backend = backend.get();
  parts.tokenizer = model->tokenizer.get();
  parts.text_encoder = model->text_encoder.get();
  parts.transformer = model->transformer.get();
  parts.transformer_2 = model->transformer_2.get();
  parts.vae = model->vae.get();
  parts.scheduler = scheduler;
  parts.compute = compute;
  parts.clock = clock.get();
  return parts;
}

// What a person needs to make the same video again.
MediaMetadata Engine::State::describe(const RunState& run) const {
  const SamplingParams& params = run.params;
  MediaMetadata data;
  data["mxdit_version"] = version();
  data["model"] = checkpoint.defaults().family;
  data["model_hash"] = hash;
  data["dtype"] = options.dtype;
  if (options.attention_precision != "bf16")
    data["attention_precision"] = options.attention_precision;
  data["quantization"] = quantization;
  // Without the number of threads, on which no result depends.
  data["device"] = backend->description().substr(0, backend->description().find(','));
  data["size"] = std::to_string(params.width) + "x" + std::to_string(params.height);
  data["num_frames"] = std::to_string(params.num_frames);
  data["fps"] = number(params.fps);
  data["seed"] = std::to_string(params.seed + static_cast<uint64_t>(run.video));
  if (!params.from_latents_path.empty()) {
    data["from_latents"] = params.from_latents_path;
    return data;
  }
  data["prompt"] = params.prompts[static_cast<size_t>(run.prompt_index())];
  data["negative_prompt"] = params.negative_prompt;
  data["num_inference_steps"] = std::to_string(params.num_inference_steps);
  data["guidance_scale"] = number(params.guidance_scale);
  if (params.boundary_ratio) {
    data["guidance_scale_2"] = number(params.guidance_scale_2);
    data["boundary_ratio"] = number(*params.boundary_ratio);
  }
  if (params.flow_shift) data["flow_shift"] = number(*params.flow_shift);
  if (!params.latents_path.empty()) data["latents"] = params.latents_path;
  return data;
}

Engine::Engine(const EngineOptions& options) : state_(std::make_unique<State>(options)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

EngineInfo Engine::info(bool hash) const {
  if (hash && state_->hash.empty()) state_->hash = state_->checkpoint.fingerprint();
  EngineInfo info =
      describe_engine(state_->options, state_->checkpoint, *state_->backend, state_->hash);
  state_->quantization = info.quantization;
  return info;
}

GenerateRequest Engine::resolve(const GenerateRequest& request) const {
  return as_request(state_->resolve(request), request);
}

RunPlan Engine::plan(const GenerateRequest& request, const VideoEncoding& encoding) const {
  return state_->plan(state_->resolve(request), request, encoding);
}

GenerateResult Engine::generate(const GenerateRequest& request, const ProgressSink& progress,
                                const CancelToken* cancel) try {
  State& state = *state_;
  RunState run;
  run.params = state.resolve(request);
  check_memory(state.plan(run.params, request, {}), state.options.log);
  RunContext context{&progress, cancel, &state.options.log};
  context.videos = static_cast<int>(run.params.videos());
  info();  // the hash goes into every result
  state.load(context);

  Trace trace;
  if (!request.trace_path.empty()) run.trace = &trace;
  const auto scheduler = state.checkpoint.make_scheduler(run.params);
  GenerateResult result;
  std::vector<Tensor> latents;
  state.pipeline.run(state.components(scheduler.get()), context, run, [&](RunState& done) {
    GeneratedVideo made;
    made.video = to_video(done.frames, done.params.fps);
    made.prompt = done.params.prompts[static_cast<size_t>(done.prompt_index())];
    made.seed = done.params.seed + static_cast<uint64_t>(done.video);
    made.metadata = state.describe(done);
    result.videos.push_back(std::move(made));
    if (!request.save_latents_path.empty()) latents.push_back(done.latents);
    done.frames = Tensor();
  });
  const MediaMetadata& metadata = result.videos.front().metadata;
  if (run.trace != nullptr) trace.write(request.trace_path, metadata);
  if (!request.save_latents_path.empty())
    write_safetensors(request.save_latents_path, {{"latents", join_rows(latents)}}, metadata);
  result.report = run.report;
  return result;
} catch (const std::bad_alloc&) {
  fail(ErrorKind::out_of_memory,
       "[engine] run: expected memory for it, got none; make the video "
       "smaller or shorter, or use --vae-tiling");
}

}  // namespace mxdit

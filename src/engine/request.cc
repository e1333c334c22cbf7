#include "engine/request.h"

#include <cmath>
#include <limits>

#include "core/error.h"

namespace mxdit {
namespace {

// Beyond this neither the latents nor a user's patience make sense; it keeps products in 63 bits.
constexpr int kMaxExtent = 16384;
constexpr int kMaxFrames = 100000;
constexpr int kMaxSteps = 1000;

template <typename T>
void check_range(const char* flag, T value, T low, T high) {
  if (!(value >= low && value <= high))
    fail(ErrorKind::usage, "[engine] --", flag, ": expected ", low, "..", high, ", got ", value);
}

int64_t checked_size(const char* flag, int value, int64_t multiple) {
  check_range(flag, value, 1, kMaxExtent);
  if (value % multiple != 0) {
    const int64_t below = value / multiple * multiple;
    const std::string near = below > 0
                                 ? std::to_string(below) + " or " + std::to_string(below + multiple)
                                 : std::to_string(multiple);
    fail(ErrorKind::usage, "[engine] --", flag, ": expected a multiple of ", multiple, " (", near,
         "), got ", value);
  }
  return value;
}

int64_t checked_frames(int value, int64_t scale, const LogSink& log) {
  check_range("num-frames", value, 1, kMaxFrames);
  const int64_t rounded = std::max<int64_t>(1, (value % scale == 1) ? value
                                                                    : value / scale * scale + 1);
  if (rounded != value && log)
    log(LogLevel::warning, "--num-frames: " + std::to_string(value) + " is not " +
                               std::to_string(scale) + "k+1; rounded to " +
                               std::to_string(rounded));
  return rounded;
}

void check_files(const GenerateRequest& request) {
  if (!request.latents_path.empty() && !request.from_latents_path.empty())
    fail(ErrorKind::usage,
         "[engine] --latents and --from-latents: expected one of them, got both (the first is "
         "where sampling starts, the second is decoded as it is)");
}

void check_guidance(const SamplingParams& params) {
  check_range("guidance-scale", params.guidance_scale, 0.0, 1000.0);
  check_range("guidance-scale-2", params.guidance_scale_2, 0.0, 1000.0);
  if (params.boundary_ratio) check_range("boundary-ratio", *params.boundary_ratio, 0.0, 1.0);
  if (params.flow_shift) check_range("flow-shift", *params.flow_shift, 1e-3, 1000.0);
}

void resolve_experts(const GenerateRequest& request, const SamplingDefaults& defaults,
                     bool two_experts, SamplingParams& params) {
  params.guidance_scale = request.guidance_scale.value_or(defaults.guidance_scale);
  // A guidance scale stated alone is meant for both experts, as in diffusers.
  params.guidance_scale_2 = request.guidance_scale_2.value_or(
      request.guidance_scale ? params.guidance_scale
                             : defaults.guidance_scale_2.value_or(params.guidance_scale));
  if (!two_experts) {
    if (request.guidance_scale_2)
      fail(ErrorKind::usage, "[engine] --guidance-scale-2: expected a model with two experts, got "
           "one without transformer_2");
    if (request.boundary_ratio)
      fail(ErrorKind::usage, "[engine] --boundary-ratio: expected a model with two experts, got "
           "one without transformer_2");
    return;
  }
  params.boundary_ratio =
      request.boundary_ratio ? request.boundary_ratio : defaults.boundary_ratio;
}

}  // namespace

SamplingParams resolve_request(const GenerateRequest& request, const SamplingDefaults& defaults,
                               const SizeRules& rules, bool two_experts, const LogSink& log) {
  SamplingParams params;
  check_files(request);
  params.prompts = request.prompts;
  if (params.prompts.empty()) {
    if (request.from_latents_path.empty())
      fail(ErrorKind::usage, "[engine] --prompt: expected at least one prompt, got none");
    params.prompts = {""};  // decoding needs none
  }
  params.negative_prompt = request.negative_prompt.value_or(defaults.negative_prompt);
  params.seed = request.seed.value_or(42);
  params.width = checked_size("width", request.width.value_or(defaults.width),
                              rules.multiple_of_width);
  params.height = checked_size("height", request.height.value_or(defaults.height),
                               rules.multiple_of_height);
  params.num_frames = checked_frames(request.num_frames.value_or(defaults.num_frames),
                                     rules.temporal_scale, log);
  params.fps = request.fps.value_or(defaults.fps);
  check_range("fps", params.fps, 0.01, 1000.0);
  params.num_inference_steps = request.num_inference_steps.value_or(defaults.num_inference_steps);
  check_range("num-inference-steps", params.num_inference_steps, 1, kMaxSteps);
  resolve_experts(request, defaults, two_experts, params);
  params.flow_shift = request.flow_shift ? request.flow_shift : defaults.flow_shift;
  check_guidance(params);
  check_range("num-outputs-per-prompt", request.num_outputs_per_prompt, 1, 10000);
  params.num_outputs_per_prompt = request.num_outputs_per_prompt;
  check_range("max-sequence-length", request.max_sequence_length, 1, 4096);
  params.max_sequence_length = request.max_sequence_length;
  params.tiling.enabled = request.vae_tiling;
  params.latents_path = request.latents_path;
  params.from_latents_path = request.from_latents_path;
  return params;
}

GenerateRequest as_request(const SamplingParams& params, const GenerateRequest& original) {
  GenerateRequest request = original;
  request.negative_prompt = params.negative_prompt;
  request.seed = params.seed;
  request.width = static_cast<int>(params.width);
  request.height = static_cast<int>(params.height);
  request.num_frames = static_cast<int>(params.num_frames);
  request.fps = params.fps;
  request.num_inference_steps = params.num_inference_steps;
  request.guidance_scale = params.guidance_scale;
  request.flow_shift = params.flow_shift;
  request.boundary_ratio = params.boundary_ratio;
  request.guidance_scale_2 = params.boundary_ratio
                                 ? std::optional<double>(params.guidance_scale_2)
                                 : std::nullopt;
  return request;
}

}  // namespace mxdit

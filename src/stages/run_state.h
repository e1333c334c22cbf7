// What the stages of a run share. Each stage's header says which fields it reads and writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/tensor.h"
#include "models/model.h"
#include "mxdit/engine.h"
#include "quantization/step_clock.h"
#include "schedulers/scheduler.h"
#include "stages/trace.h"
#include "text/tokenizer.h"

namespace mxdit {

// A request with every value known.
struct SamplingParams {
  std::vector<std::string> prompts;
  std::string negative_prompt;
  uint64_t seed = 42;
  int64_t width = 0, height = 0, num_frames = 0;  // pixels, pixels, frames (4k + 1)
  double fps = 16;
  int num_inference_steps = 0;
  double guidance_scale = 1, guidance_scale_2 = 1;
  std::optional<double> boundary_ratio;  // unset: one expert
  std::optional<double> flow_shift;      // unset: the scheduler's configuration
  int num_outputs_per_prompt = 1;
  int64_t max_sequence_length = 512;
  TilingOptions tiling;
  std::string latents_path, from_latents_path;

  int64_t videos() const {
    return static_cast<int64_t>(prompts.size()) * num_outputs_per_prompt;
  }
  // Guidance needs a second forward pass; it is off at a scale of at most 1, as in diffusers.
  bool guided() const { return guidance_scale > 1.0; }
};

// The loaded networks. Owned by the engine; a component is null when the checkpoint has none.
struct Components {
  Backend* backend = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const TextEncoder* text_encoder = nullptr;
  const Denoiser* transformer = nullptr;    // high noise, or the only one
  const Denoiser* transformer_2 = nullptr;  // low noise
  const VideoAutoencoder* vae = nullptr;
  Scheduler* scheduler = nullptr;
  DType compute = DType::f32;
  StepClock* clock = nullptr;  // told the step before each; may be null
};

// Progress, cancellation and log of one call.
struct RunContext {
  const ProgressSink* progress = nullptr;
  const CancelToken* cancel = nullptr;
  const LogSink* log = nullptr;
  int video = 0, videos = 1;

  void report(const Progress& progress_now) const {
    if (progress != nullptr && *progress) (*progress)(progress_now);
  }
  void warn(const std::string& text) const {
    if (log != nullptr && *log) (*log)(LogLevel::warning, text);
  }
};

// Token ids of several prompts, one row each.
struct TokenBatch {
  Tensor ids;  // host i32 [P, S]
  std::vector<int64_t> lengths;
};

struct RunState {
  SamplingParams params;

  // encode_text. Rows: prompts. Device tensors [P, S, W] in the text encoder's dtype.
  TokenBatch tokens, negative_tokens;
  Tensor prompt_embeds, negative_prompt_embeds;

  // One video at a time, batch extent 1.
  int64_t video = 0;     // prompt index * outputs + output index
  Tensor latents;        // host f32 [1, z, F, h, w]; prepare_latents, denoise
  Tensor frames;         // host f32 [1, 3, F, H, W] in -1..1; decode

  Trace* trace = nullptr;  // null: nothing recorded
  RunReport report;

  int64_t prompt_index() const { return video / params.num_outputs_per_prompt; }
};

}  // namespace mxdit

#include "engine/run_plan.h"

#include <algorithm>
#include <iomanip>

#include "core/error.h"
#include "media/file_estimate.h"
#include "models/footprint.h"
#include "pipelines/memory_use.h"

namespace mxdit {
namespace {

// What no machine has: larger figures, of absurd requests, are cut to it, so that sums never wrap.
constexpr uint64_t kMostBytes = uint64_t{1} << 57;

uint64_t times(uint64_t count, uint64_t bytes) {
  uint64_t product = 0;
  return __builtin_mul_overflow(count, bytes, &product) ? kMostBytes : product;
}

// The program, its libraries, configurations and headers.
constexpr uint64_t kProgram = uint64_t{48} << 20;

// Left operands of products are packed, a block of rows at a time; so are keys and values. Each kind
// (two widths of products, one attention) has its block in the pool, in use or not: an encoded
// activation may keep its own until it dies.
constexpr uint64_t kPackedOperand = uint64_t{64} << 20, kPackedKinds = 3;
// Right operands and sums of a thread's tile. Many threads have smaller tiles, which share the sums of
// one block of rows.
constexpr uint64_t kTilePerThread = uint64_t{32} << 20, kAllTiles = uint64_t{512} << 20,
                   kLeastTile = uint64_t{1} << 20;

// Idle blocks that a memory pool keeps however little is in use; a stage begins without any.
constexpr uint64_t kAlwaysIdle = uint64_t{256} << 20;

// Bytes of UTF-8 bound the tokens of nearly every text: the rarest characters fall back to a token
// per byte, and normalising makes few texts longer. The margin is for those and the end mark.
int64_t most_tokens(const std::string& prompt, int64_t limit) {
  return std::min(limit, 2 * static_cast<int64_t>(std::min(prompt.size(), size_t{1} << 20)) + 16);
}

ConfigFile config_of(const Checkpoint& checkpoint, const std::string& name) {
  const Component& component = checkpoint.component(name);
  return {component.class_name, &component.config, component.config_file};
}

std::string gib(uint64_t bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << static_cast<double>(bytes) / (1 << 30) << " GiB";
  return out.str();
}

constexpr const char* kLoading = "LoadingStage";

class Planner {
 public:
  Planner(const PlanSubject& subject, const SamplingParams& params)
      : s_(subject), p_(params), geometry_(subject.checkpoint.geometry()) {
    for (const char* name : {"text_encoder", "transformer", "transformer_2", "vae"})
      if (name != std::string("transformer_2") || s_.checkpoint.has_two_experts())
        weights_.push_back(
            survey_component(s_.checkpoint, s_.backend, s_.compute, name, s_.weight_cache));
    threads_ = static_cast<uint64_t>(s_.backend.report().threads);
    on_device_ = s_.backend.memory().has_value();
    decoding_ = decode_footprint(config_of(s_.checkpoint, "vae"), latents(), p_.tiling, s_.compute);
    if (!samples()) return;
    encoding_ = encoding_footprint();
    for (const ComponentWeights& part : weights_)
      if (is_expert(part)) denoising_.push_back(denoising_footprint(part));
  }

  RunPlan plan() {
    add_loading();
    if (samples()) {
      add_text_encoding();
      size_t expert = 0;
      for (const ComponentWeights& part : weights_)
        if (is_expert(part)) add_denoising(part, denoising_[expert++]);
    }
    add_decoding();
    add_saving();
    plan_.loaded_bytes = weight_bytes();
    plan_.on_device = on_device_;
    return std::move(plan_);
  }

 private:
  static void add(StagePlan& stage, const std::string& what, uint64_t bytes) {
    if (bytes > 0) stage.memory.push_back({what, std::min(bytes, kMostBytes)});
  }

  // What a device with memory of its own has nothing to do with.
  void add_of_host(StagePlan& stage, const std::string& what, uint64_t bytes) const {
    if (!on_device_) add(stage, what, bytes);
  }

  // Without latents that only have to be decoded.
  bool samples() const { return p_.from_latents_path.empty(); }
  static bool is_expert(const ComponentWeights& part) {
    return part.name.starts_with("transformer");
  }
  uint64_t weight_bytes() const {
    uint64_t sum = 0;
    for (const ComponentWeights& part : weights_)
      sum += part.layers + part.copies + (on_device_ ? part.mapped : 0);
    return sum;
  }

  // What every stage has in memory; results count from the beginning, since in the last video all
  // others are there.
  StagePlan stage(const char* name) {
    StagePlan made;
    made.name = name;
    uint64_t copies = 0;
    for (const ComponentWeights& part : weights_) {
      // A device with memory of its own gets a copy of what else is used where it lies.
      if (on_device_)
        add(made, "weights of " + part.name, part.layers + part.mapped);
      else
        add(made, (part.quantized ? "quantized weights of " : "rearranged weights of ") + part.name,
            part.layers);
      copies += part.copies;
    }
    add(made, "reordered kernels and vectors", copies);
    add_of_host(made, "program", kProgram);
    return made;
  }

  uint64_t videos() const { return static_cast<uint64_t>(p_.videos()); }
  uint64_t pixels() const { return static_cast<uint64_t>(p_.width * p_.height); }
  uint64_t clip_bytes() const { return pixels() * 3 * static_cast<uint64_t>(p_.num_frames); }

  Shape latents() const {
    return {1, s_.checkpoint.traits().in_channels,
            (p_.num_frames - 1) / geometry_.scale_temporal + 1, p_.height / geometry_.scale_spatial,
            p_.width / geometry_.scale_spatial};
  }
  uint64_t latent_bytes() const { return static_cast<uint64_t>(latents().elements()) * 4; }

  // Per video: noise and latents of every step, the noise without prompt, first and last latents,
  // and the frames as f32.
  uint64_t trace_bytes() const {
    if (!s_.trace) return 0;
    const auto steps = static_cast<uint64_t>(p_.num_inference_steps);
    const uint64_t tensors = 2 + (p_.guided() ? 3 : 2) * steps;
    return times(videos(), latent_bytes() * tensors + clip_bytes() * sizeof(float));
  }
  uint64_t saved_latent_bytes() const {
    return s_.save_latents ? times(videos(), latent_bytes()) : 0;
  }

  void add_results(StagePlan& stage) const {
    add_of_host(stage, "finished videos", times(videos(), clip_bytes()));
    add_of_host(stage, "latents to be saved", saved_latent_bytes());
    add_of_host(stage, "trace", trace_bytes());
    if (samples())
      add(stage, "encoded prompts",
          embedding_bytes(config_of(s_.checkpoint, "text_encoder"),
                          static_cast<int64_t>(p_.prompts.size()) + (p_.guided() ? 1 : 0),
                          p_.max_sequence_length, s_.compute));
  }

  static uint64_t device_bytes(const Footprint& parts) {
    uint64_t sum = 0;
    for (const FootprintPart& part : parts)
      if (part.on_device) sum += std::min(part.bytes, kMostBytes);
    return sum;
  }
  // An operand is packed from a tensor of the stage, in 16 bits an element or fewer.
  uint64_t scratch_bytes(uint64_t tensors) const {
    return kPackedKinds * std::min(kPackedOperand, tensors) +
           std::min(times(threads_, kTilePerThread), kAllTiles + times(threads_, kLeastTile));
  }

  // Idle blocks that the peaks of the parts do not have, of tensors between them.
  static uint64_t idle_bytes(uint64_t tensors) { return std::min(tensors, kAlwaysIdle); }

  void add_activations(StagePlan& stage, const Footprint& parts) const {
    const uint64_t tensors = device_bytes(parts);
    for (const FootprintPart& part : parts)
      if (part.on_device || !on_device_) add(stage, part.what, part.bytes);
    // Operators of devices combine bf16 tensors in fp32 tensors, and have workspaces.
    if (on_device_) add(stage, "tensors in fp32", tensors);
    add(stage, "scratch of kernels", scratch_bytes(tensors));
    add(stage, "idle blocks", idle_bytes(tensors));
  }

  void add_loading() {
    StagePlan loading = stage(kLoading);
    uint64_t working = 0;
    for (const ComponentWeights& part : weights_) {
      working = std::max(working, part.working);
      loading.mapped_bytes = std::max(loading.mapped_bytes, part.mapped);
      loading.read_bytes += part.read + (on_device_ ? part.mapped : 0);
      loading.written_bytes += part.cached;
    }
    add(loading, "preparing the largest layer", working);
    plan_.stages.push_back(std::move(loading));
  }

  Footprint encoding_footprint() const {
    int64_t together = 0, longest = 0;
    for (const std::string& prompt : p_.prompts) {
      const int64_t tokens = most_tokens(prompt, p_.max_sequence_length);
      together += tokens;
      longest = std::max(longest, tokens);
    }
    if (p_.guided()) {  // encoded by itself
      longest = std::max(longest, most_tokens(p_.negative_prompt, p_.max_sequence_length));
      together = std::max(together, longest);
    }
    return text_encoder_footprint(config_of(s_.checkpoint, "text_encoder"), together, longest,
                                  s_.compute);
  }

  Footprint denoising_footprint(const ComponentWeights& expert) const {
    return denoiser_footprint(config_of(s_.checkpoint, expert.name), latents(),
                              p_.max_sequence_length, p_.guided() ? 2 : 1, expert.quantized,
                              s_.compute);
  }

  // Weights that are used where they lie; a device has read them while it was loaded.
  void use_files(StagePlan& stage, const ComponentWeights& part) const {
    if (!on_device_) stage.mapped_bytes = stage.read_bytes = part.mapped;
  }

  void add_text_encoding() {
    StagePlan encoding = stage("TextEncodingStage");
    add_results(encoding);
    add_activations(encoding, encoding_);
    use_files(encoding, weights_.front());
    plan_.stages.push_back(std::move(encoding));
  }

  void add_denoising(const ComponentWeights& expert, const Footprint& parts) {
    StagePlan denoising = stage("DenoisingStage");
    if (s_.checkpoint.has_two_experts()) denoising.component = expert.name;
    add_results(denoising);
    add_activations(denoising, parts);
    use_files(denoising, expert);
    plan_.stages.push_back(std::move(denoising));
  }

  void add_decoding() {
    StagePlan decoding = stage("DecodingStage");
    add_results(decoding);
    add_activations(decoding, decoding_);
    plan_.stages.push_back(std::move(decoding));
  }

  // The caller writes files while the engine is still there, with its weights.
  void add_saving() {
    StagePlan saving = stage("SavingStage");
    add_of_host(saving, "finished videos", times(videos(), clip_bytes()));
    add_of_host(saving, "video encoder", media::writing_memory(p_.width, p_.height));
    saving.written_bytes = times(videos(), media::typical_file_bytes(p_.width, p_.height,
                                                                     p_.num_frames, s_.encoding)) +
                           saved_latent_bytes() + trace_bytes();
    plan_.stages.push_back(std::move(saving));
  }

  const PlanSubject& s_;
  const SamplingParams& p_;
  CheckpointGeometry geometry_;
  std::vector<ComponentWeights> weights_;
  Footprint encoding_, decoding_;
  std::vector<Footprint> denoising_;  // one for each expert
  uint64_t threads_ = 1;
  bool on_device_ = false;
  RunPlan plan_;
};

// The parts of the widest stage, largest first, as far as they matter.
std::string parts_text(const StagePlan& stage) {
  std::vector<PlannedBytes> parts = stage.memory;
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  if (parts.size() > 3) parts.resize(3);
  std::string text;
  for (const PlannedBytes& part : parts)
    text += (text.empty() ? "" : ", ") + part.what + " " + gib(part.bytes);
  return text;
}

std::string refusal_of(const RunPlan& plan) {
  const StagePlan& widest = plan.widest_stage();
  return detail::concat("[engine] memory: expected at most ", gib(*plan.available_bytes),
                        plan.is_limit    ? " (--max-memory)"
                        : plan.on_device ? " (free on the device now)"
                                         : " (available now)",
                        ", got a run that needs ", gib(plan.needed_bytes()), " (",
                        plan.needed_bytes(), " bytes) in ", widest.label(), " beside ",
                        gib(widest.mapped_bytes), " of mapped files: ", parts_text(widest),
                        "; make the video smaller or shorter, or use --vae-tiling or "
                        "--quantization; mxdit plan shows "
                        "all stages");
}

std::string warning_of(const RunPlan& plan) {
  const uint64_t loaded = plan.peak_bytes() - plan.needed_bytes();
  for (const StagePlan& stage : plan.stages) {
    if (stage.name != "DenoisingStage") continue;
    const uint64_t needed = stage.memory_bytes() - loaded;
    if (stage.mapped_bytes + needed > *plan.available_bytes)
      return "memory: the files that " + stage.label() + " uses (" + gib(stage.mapped_bytes) +
             ") and its memory (" + gib(needed) + ") exceed " + gib(*plan.available_bytes) +
             "; weights will be read from disk again in every step";
  }
  return "";
}

}  // namespace

RunPlan plan_stages(const PlanSubject& subject, const SamplingParams& params) {
  return Planner(subject, params).plan();
}

void judge(RunPlan& plan, uint64_t limit, bool loaded, std::optional<DeviceMemory> device) {
  plan.is_limit = limit > 0;
  plan.available_bytes = limit > 0 ? std::optional(limit)
                         : device  ? std::optional(device->free)
                                   : available_memory();
  if (!loaded) plan.loaded_bytes = 0;
  if (loaded && plan.stages.size() > 1 && plan.stages.front().name == kLoading)
    plan.stages.erase(plan.stages.begin());
  plan.refusal.clear();
  plan.warning.clear();
  plan.fits = !plan.available_bytes || plan.needed_bytes() <= *plan.available_bytes;
  if (!plan.available_bytes) return;
  if (plan.fits)
    plan.warning = warning_of(plan);
  else
    plan.refusal = refusal_of(plan);
}

void check_memory(const RunPlan& plan, const LogSink& log) {
  if (!plan.fits) fail(ErrorKind::out_of_memory, plan.refusal);
  if (log && !plan.warning.empty()) log(LogLevel::warning, plan.warning);
}

}  // namespace mxdit

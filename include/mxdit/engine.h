// The engine: loads a checkpoint once, generates any number of videos.
//
//   mxdit::Engine engine(options);
//   mxdit::GenerateResult result = engine.generate(request, {});
//   mxdit::write_video("out.mp4", result.videos[0].video, result.videos[0].metadata);
//
// An Engine may be moved between threads, but only one thread may use it at a time. Everything
// throws mxdit::Error.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mxdit/cancel.h"
#include "mxdit/device.h"
#include "mxdit/error.h"
#include "mxdit/media.h"
#include "mxdit/plan.h"

namespace mxdit {

enum class LogLevel { debug, info, warning };
using LogSink = std::function<void(LogLevel, const std::string&)>;

struct EngineOptions {
  // A folder in diffusers' layout. Empty: the embedded model (embedded_model_path()).
  std::string model_path;
  // Component folders that replace those of model_path: "transformer" -> folder, ...
  std::map<std::string, std::string> component_paths;
  // How the transformers' weights are quantized: a key of quantization_methods(). Empty: as the
  // checkpoint declares, else not at all.
  std::string quantization;
  // Layers that an online method leaves alone: whole dotted segments of their names.
  std::vector<std::string> quantization_ignored_layers;
  // Keeps what online methods made, by content, so that the next start need not. Empty: no cache.
  std::string quantization_cache;
  // Weights in place of the transformer's own, in its architecture: a .safetensors file or a
  // folder of them. Component name ("transformer", "transformer_2") -> path.
  std::map<std::string, std::string> weights_paths;
  std::string dtype = "bf16";  // compute type of all components: "fp32" or "bf16"
  // What scores of the transformers' self-attention are computed in: "bf16" (that is, as dtype
  // says) or "int8", where the device has that.
  std::string attention_precision = "bf16";
  std::string device = "cpu";
  std::string isa;             // CPU: force a kernel table ("scalar", "avx2", "avx512"); empty: best
  int threads = 0;             // 0: all processors the process may use
  uint64_t max_memory_bytes = 0;  // refuse runs above this; 0: what the system has available
  LogSink log;                 // may be empty
};

// Unset values come from the model: its own defaults, else those of its family
// (docs/cli.md lists them).
struct GenerateRequest {
  std::vector<std::string> prompts;
  std::optional<std::string> negative_prompt;
  std::optional<uint64_t> seed;  // output j of prompt i uses seed + i * outputs + j; default 42
  std::optional<int> width, height, num_frames;
  std::optional<double> fps;
  std::optional<int> num_inference_steps;
  std::optional<double> guidance_scale, guidance_scale_2;
  std::optional<double> boundary_ratio, flow_shift;
  int num_outputs_per_prompt = 1;
  int max_sequence_length = 512;
  bool vae_tiling = false;

  std::string latents_path;       // safetensors file with `latents`: start noise
  std::string from_latents_path;  // safetensors file written by save_latents_path: decode only
  std::string save_latents_path;
  std::string trace_path;         // safetensors file with every intermediate (docs/formats.md)
};

// Where a run stands. `stage` is one of the names below, in this order.
struct Progress {
  enum class Event { stage_begin, step, stage_end };
  Event event = Event::step;
  std::string stage;     // "load", "encode_text", "denoise", "decode"
  int64_t step = 0;      // units done within the stage
  int64_t total = 0;     // units of the stage; 0 when unknown
  double step_seconds = 0;     // duration of the last unit
  double elapsed_seconds = 0;  // since the stage began
  int video = 0;               // 0-based index of the video worked on
  int videos = 1;              // videos of this call
};
using ProgressSink = std::function<void(const Progress&)>;

struct GeneratedVideo {
  Video video;
  std::string prompt;
  uint64_t seed = 0;
  MediaMetadata metadata;  // what write_video should store
};

struct StageTime {
  std::string name;  // the reference system's: "TextEncodingStage", "DenoisingStage", ...
  double seconds = 0;
};

struct RunReport {
  std::vector<StageTime> stages;
  std::vector<double> denoise_step_seconds;
  // What each step asked of a device with memory of its own; empty for the CPU.
  std::vector<DeviceCounters> denoise_step_counters;
  double total_seconds = 0;       // without saving
  uint64_t peak_resident_bytes = 0;  // of the process, at the end of the run
  uint64_t peak_anonymous_bytes = 0; // 0 where the system does not tell
};

struct GenerateResult {
  std::vector<GeneratedVideo> videos;  // prompt after prompt, output after output
  RunReport report;
};

struct EngineInfo {
  std::string model_name;   // "Wan2.2-T2V-tiny (embedded)", or the folder's name
  std::string model_path;
  std::string model_hash;   // sha256 over the checkpoint's files (docs/formats.md)
  bool embedded = false;
  std::string device;       // one line
  std::string dtype;
  std::string quantization;  // of the transformers: "plain", "mxfp4_npu", "modelslim", ...
  std::string attention_precision;
};

class Engine {
 public:
  // Opens the checkpoint: reads configurations and headers, maps the weights, builds no network
  // yet (the first generate() does, as its stage "load").
  explicit Engine(const EngineOptions& options);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  // `hash`: with model_hash, for which samples of all weights are read, once; else it may be empty.
  EngineInfo info(bool hash = true) const;
  // The request with every unset value filled in, adjusted as generate() will (frame counts to
  // 4k+1, with a warning in the log). Throws Error{usage} for what generate() would refuse.
  GenerateRequest resolve(const GenerateRequest& request) const;
  // What generate() would take, and whether that fits: by its numbers it refuses. `encoding` is that
  // of the .mp4 file which is to be written. Errors as of resolve(), and those that building the
  // networks meets but for the values of tensors.
  RunPlan plan(const GenerateRequest& request, const VideoEncoding& encoding = {}) const;
  // Error{out_of_memory} with the number of plan(), before anything is loaded, when the run would not fit.
  GenerateResult generate(const GenerateRequest& request, const ProgressSink& progress = {},
                          const CancelToken* cancel = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Folder of the embedded model: $MXDIT_EMBEDDED_MODEL, else beside the program or library
// (install prefix: share/mxdit/models/tiny), else the source tree. Error{not_found} naming the
// places looked at.
std::string embedded_model_path();

// What prompts of the embedded model may hold, for help texts; empty when it is not found.
std::string embedded_model_prompt_help();

// A key of --quantization (EngineOptions::quantization).
struct QuantizationMethod {
  std::string key, summary;
  bool online = false;   // quantizes plain weights at load
  bool offline = false;  // reads weights that were stored quantized
  std::string where;     // devices it runs on: "cpu, ascend"
};
std::vector<QuantizationMethod> quantization_methods();

// Library version, "0.1.0".
std::string version();

}  // namespace mxdit

#include "generate_command.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <new>
#include <sstream>

#include "app_error.h"
#include "flag_help.h"
#include "generate_arguments.h"
#include "perf_dump.h"
#include "stop_signals.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit generate [flags] PROMPT...\n\n"
    "Makes a video from each prompt. Without --model-path the small model that comes\n"
    "with mxdit is used. Flags may be written with dashes or underscores.\n\n";

constexpr char kExamples[] =
    "Examples:\n"
    "  mxdit generate \"PROMPT\"\n"
    "  mxdit generate \"PROMPT\" --output-file-path video.gif --seed 7\n"
    "  mxdit generate --model-path Wan2.2-T2V-A14B-Diffusers --720p --prompt-path prompts.txt\n"
    "  mxdit generate --config run.yaml --progress json\n\n"
    "Exit status: 0 done, 2 usage, 3 bad input file, 4 not found, 5 not supported,\n"
    "6 out of memory, 7 input or output failed, 70 defect of mxdit, 130 stopped.\n";

void print_help(std::ostream& out) {
  out << kUsage;
  const std::string prompts = embedded_model_prompt_help();
  if (!prompts.empty())
    out << "Prompts of the embedded model:\n" << wrapped(prompts, 80, 2) << "\n";
  out << generate_flag_help() << "\n" << kExamples;
}

// What the steps asked of a device; empty for one without counters. The first step, in which memory
// is found, is told apart.
std::string counters_text(const std::vector<DeviceCounters>& steps) {
  if (steps.empty()) return "";
  DeviceCounters later;
  for (size_t i = 1; i < steps.size(); ++i) {
    later.operator_calls = std::max(later.operator_calls, steps[i].operator_calls);
    later.synchronizations = std::max(later.synchronizations, steps[i].synchronizations);
    later.allocations = std::max(later.allocations, steps[i].allocations);
  }
  const auto text = [](const DeviceCounters& step) {
    return "operator calls " + std::to_string(step.operator_calls) + ", synchronizations " +
           std::to_string(step.synchronizations) + ", allocations " +
           std::to_string(step.allocations);
  };
  std::string line = "device:   first step: " + text(steps.front());
  if (steps.size() > 1) line += "; later steps, at most: " + text(later);
  return line;
}

size_t video_count(const GenerateRequest& request) {
  return std::max<size_t>(1, request.prompts.size()) *
         static_cast<size_t>(std::max(1, request.num_outputs_per_prompt));
}

// One run from parsed arguments to files.
class GenerateRun {
 public:
  GenerateRun(const GenerateArguments& arguments, const Console& console)
      : arguments_(arguments),
        display_(make_progress_display(arguments.progress, console)),
        signals_(&cancel_) {}

  void run() {
    check_outputs_early();
    arguments_.engine.log = [this](LogLevel level, const std::string& text) { log(level, text); };
    Engine engine(arguments_.engine);
    const GenerateRequest request = engine.resolve(arguments_.request);
    check_outputs(request);
    announce(engine.info(false), request);
    const GenerateResult result = engine.generate(
        arguments_.request, [this](const Progress& p) { display_->update(p); }, &cancel_);
    save(request, result);
    if (!arguments_.perf_dump_path.empty())
      write_perf_dump(arguments_.perf_dump_path,
                      {std::time(nullptr), engine.info(), request, result.report});
    conclude(result);
  }

  ProgressDisplay& display() { return *display_; }
  bool cancelled() const { return cancel_.cancelled(); }

 private:
  // What does not need the model fails before it is loaded.
  void check_outputs_early() {
    check_saving(arguments_.request);
    if (!arguments_.perf_dump_path.empty()) check_perf_dump_path(arguments_.perf_dump_path);
  }

  void check_saving(const GenerateRequest& request) {
    if (!arguments_.output.save) return;
    const auto paths = output_paths(arguments_.output, request, video_count(request), started_);
    for (const std::string& path : paths) check_video_path(path);
  }

  void check_outputs(const GenerateRequest& request) {
    check_saving(request);
    const std::string& name = arguments_.output.file_path.empty() ? arguments_.output.file_name
                                                                  : arguments_.output.file_path;
    const bool is_png = std::filesystem::path(name).extension() == ".png";
    if (arguments_.output.save && is_png && request.num_frames.value_or(1) != 1)
      fail(ErrorKind::usage, name, ": expected one frame for a .png file, got ",
           *request.num_frames, "; a name without extension makes a folder of frames");
  }

  void log(LogLevel level, const std::string& text) {
    if (level < arguments_.log_level) return;
    const char* prefix = level == LogLevel::warning ? "warning: "
                         : level == LogLevel::debug ? "debug: "
                                                    : "";
    display_->message(prefix + text);
  }

  void announce(const EngineInfo& info, const GenerateRequest& request) {
    log(LogLevel::info, "model:    " + info.model_name + ", " + info.dtype +
                             (info.quantization == "plain" ? "" : ", " + info.quantization));
    if (info.embedded)
      log(LogLevel::info,
          "          the small model that comes with mxdit, since no --model-path "
          "was given; mxdit generate --help lists what its prompts may hold");
    log(LogLevel::info, "device:   " + info.device);
    log(LogLevel::info, "settings: " + settings_text(request));
  }

  void save(const GenerateRequest& request, const GenerateResult& result) {
    if (!arguments_.output.save) return;
    const StopSignals::Hold hold;
    const auto paths = output_paths(arguments_.output, request, result.videos.size(), started_);
    for (size_t i = 0; i < paths.size(); ++i) {
      if (cancelled()) throw Error(ErrorKind::cancelled, "[cli] saving: stopped on request");
      const GeneratedVideo& video = result.videos[i];
      write_video(paths[i], video.video, video.metadata, arguments_.encoding);
      display_->file(paths[i], video);
    }
  }

  void conclude(const GenerateResult& result) {
    const auto& steps = result.report.denoise_step_seconds;
    double sum = 0;
    for (const double seconds : steps) sum += seconds;
    std::string text = "done in " + duration_text(result.report.total_seconds);
    if (!steps.empty())
      text += ", " + duration_text(sum / static_cast<double>(steps.size())) + " per step";
    log(LogLevel::info, text);
    const std::string counters = counters_text(result.report.denoise_step_counters);
    if (!counters.empty()) log(LogLevel::info, counters);
  }

  GenerateArguments arguments_;
  const std::time_t started_ = std::time(nullptr);
  std::unique_ptr<ProgressDisplay> display_;
  CancelToken cancel_;
  StopSignals signals_;
};

}  // namespace

int run_generate(const std::vector<std::string>& arguments, const Console& console) {
  if (asks_for_help(arguments)) {
    print_help(console.out);
    return 0;
  }
  GenerateRun run(parse_generate_arguments(arguments), console);
  try {
    run.run();
  } catch (const Error& error) {
    run.display().error(error);
    throw;
  }
  return 0;
}

}  // namespace mxdit::cli

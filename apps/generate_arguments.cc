#include "generate_arguments.h"

#include <algorithm>
#include <limits>
#include <sstream>

#include "app_error.h"
#include "flag_help.h"
#include "model_flags.h"
#include "prompt_list.h"

namespace mxdit::cli {
namespace {

constexpr int kMostPixels = 1 << 15;
constexpr double kMostGuidance = 1000;

struct SizeShortcut {
  const char* flag;
  int width, height;
};
// 1080 is no multiple of 16, which every Wan model demands.
constexpr SizeShortcut kSizes[] = {
    {"4k", 3840, 2160}, {"2k", 2560, 1440}, {"1080p", 1920, 1088}, {"720p", 1280, 720}};

// Flags in the making: targets that need a second look once all are known.
struct Draft {
  GenerateArguments result;
  std::vector<std::string> prompts, prompt_flags;
  std::string prompt_path, config;
  std::string shortcut;
  bool needs_prompt = true;
};

template <typename Field>
std::function<void(int64_t)> to_int(Field* field) {
  return [field](int64_t value) { *field = static_cast<int>(value); };
}
template <typename Field>
std::function<void(double)> to_double(Field* field) {
  return [field](double value) { *field = value; };
}

void declare_prompts(FlagSet* flags, Draft* draft) {
  GenerateRequest& request = draft->result.request;
  flags->group("Prompt");
  flags->positional({"prompts", "PROMPT...",
                     "What the video shows; several prompts make several "
                     "videos. Write -- before a prompt that begins with '-'.",
                     ""},
                    &draft->prompts);
  flags->list({"--prompt", "TEXT...", "The same as a flag.", ""}, &draft->prompt_flags);
  flags->string({"--prompt-path", "FILE", "A .txt file with one prompt per line.", ""},
                &draft->prompt_path);
  flags->string({"--negative-prompt", "TEXT", "What the video should not show.", "of the model"},
                &request.negative_prompt);
  flags->integer({"--max-sequence-length", "N", "Tokens of a prompt that are used.", "512"}, 1,
                 1 << 16, to_int(&request.max_sequence_length));
}

void declare_sampling(FlagSet* flags, Draft* draft) {
  GenerateRequest& request = draft->result.request;
  flags->group("Sampling");
  flags->integer({"--seed", "N",
                  "Seed of the start noise; output j of prompt i uses "
                  "N + i * outputs + j.",
                  "42"},
                 0, std::numeric_limits<int64_t>::max(),
                 [&request](int64_t value) { request.seed = static_cast<uint64_t>(value); });
  flags->integer({"--num-outputs-per-prompt,--num-outputs", "N", "Videos for each prompt.", "1"}, 1,
                 1000, to_int(&request.num_outputs_per_prompt));
  flags->integer({"--num-inference-steps", "N", "Denoising steps.", "of the model"}, 1, 100000,
                 to_int(&request.num_inference_steps));
  flags->number({"--guidance-scale", "X",
                 "How closely to follow the prompt; at most 1 is without "
                 "guidance.",
                 "of the model"},
                0, kMostGuidance, to_double(&request.guidance_scale));
  flags->number({"--guidance-scale-2", "X", "The same for the second expert.", "of the model"}, 0,
                kMostGuidance, to_double(&request.guidance_scale_2));
  flags->number({"--boundary-ratio", "X",
                 "Where the second expert takes over, as a part of the "
                 "training time steps.",
                 "of the model"},
                0, 1, to_double(&request.boundary_ratio));
  flags->number({"--flow-shift", "X", "Shift of the noise schedule.", "of the model"}, 1e-6, 1000,
                to_double(&request.flow_shift));
}

void declare_size(FlagSet* flags, Draft* draft) {
  GenerateRequest& request = draft->result.request;
  flags->group("Size");
  flags->integer({"--width", "N", "Pixels, a multiple of 16.", "of the model"}, 1, kMostPixels,
                 to_int(&request.width));
  flags->integer({"--height", "N", "Pixels, a multiple of 16.", "of the model"}, 1, kMostPixels,
                 to_int(&request.height));
  for (const SizeShortcut& size : kSizes) {
    const std::string name = size.flag;
    flags->boolean({"--" + name, "",
                    std::to_string(size.width) + "x" + std::to_string(size.height) +
                        (name == "1080p" ? " (1080 is no multiple of 16)." : "."),
                    ""},
                   [draft, name](bool value) {
                     if (!value) return;
                     if (!draft->shortcut.empty())
                       fail(ErrorKind::usage, "--", name, ": expected one size, got also --",
                            draft->shortcut);
                     draft->shortcut = name;
                   });
  }
  flags->integer(
      {"--num-frames", "N", "Frames; other numbers than 4k+1 are rounded.", "of the model"}, 1,
      1 << 20, to_int(&request.num_frames));
  flags->number({"--fps", "X", "Frames per second of the file.", "of the model"}, 0.01, 1000,
                to_double(&request.fps));
}

void declare_model(FlagSet* flags, Draft* draft) {
  EngineOptions& engine = draft->result.engine;
  flags->group("Model and machine");
  declare_model_flags(flags, &engine);
  declare_machine_flags(flags, &engine);
  flags->number({"--max-memory", "GIB",
                 "Refuse a run that needs more, before it loads.", "what is available"},
                0.001, 1 << 20, [&engine](double gib) {
                  engine.max_memory_bytes = static_cast<uint64_t>(gib * (uint64_t{1} << 30));
                });
  flags->boolean(
      {"--vae-tiling", "[true|false]", "Decode in tiles: less memory, more time.", "false"},
      [draft](bool value) { draft->result.request.vae_tiling = value; });
}

void declare_window(FlagSet* flags, Draft* draft) {
  GenerateRequest& request = draft->result.request;
  flags->group("Window into the run (safetensors files)");
  flags->string({"--latents", "FILE", "Start from the tensor 'latents' instead of the seed.", ""},
                &request.latents_path);
  flags->string({"--save-latents", "FILE", "Write the final latents.", ""},
                &request.save_latents_path);
  flags->string({"--from-latents", "FILE", "Only decode what --save-latents wrote.", ""},
                &request.from_latents_path);
  flags->string({"--trace", "FILE", "Write every intermediate.", ""}, &request.trace_path);
}

void declare_quality(FlagSet* flags, Draft* draft) {
  flags->choice({"--output-quality", "LEVEL",
                 "default (50), low (35), medium (55), high (90) or "
                 "maximum (100).",
                 "default"},
                {"default", "low", "medium", "high", "maximum"}, [draft](const std::string& level) {
                  draft->result.encoding.quality = level == "low"       ? 35
                                                   : level == "medium"  ? 55
                                                   : level == "high"    ? 90
                                                   : level == "maximum" ? 100
                                                                        : 50;
                });
  flags->integer({"--output-compression", "N",
                  "The same as a number from 0 (smallest) to 100 "
                  "(best).",
                  ""},
                 0, 100, to_int(&draft->result.encoding.quality));
}

void declare_output(FlagSet* flags, Draft* draft) {
  OutputOptions& output = draft->result.output;
  flags->group("Output");
  flags->string(
      {"--output-path", "DIR", "Folder of the videos; empty: nothing is saved.", "outputs/"},
      &output.folder);
  flags->string({"--output-file-name", "NAME",
                 "Name in that folder: .mp4, .gif, .png (one frame); "
                 "without extension .mp4 is added.",
                 "prompt, time, hash"},
                &output.file_name);
  flags->string({"--output-file-path", "FILE",
                 "Folder and name at once; no extension or a "
                 "trailing '/' makes a folder of PNG frames.",
                 ""},
                &output.file_path);
  declare_quality(flags, draft);
  flags->boolean({"--save-output", "[true|false]", "Whether videos are saved.", "true"},
                 [&output](bool value) { output.save = value; });
  flags->boolean({"--no-save-output", "", "Save no videos.", ""},
                 [&output](bool value) { output.save = !value; });
  flags->string({"--perf-dump-path", "FILE", "Write times and memory as JSON.", ""},
                &draft->result.perf_dump_path);
}

void declare_program(FlagSet* flags, Draft* draft) {
  flags->group("Program");
  flags->choice(
      {"--progress", "MODE", "auto, bar, plain, json (lines on standard output) or none.", "auto"},
      {"auto", "bar", "plain", "json", "none"},
      [draft](const std::string& mode) { draft->result.progress = parse_progress_mode(mode); });
  flags->choice({"--log-level", "LEVEL", "debug, info or warning.", "info"},
                {"debug", "info", "warning"}, [draft](const std::string& level) {
                  draft->result.log_level = level == "debug"  ? LogLevel::debug
                                            : level == "info" ? LogLevel::info
                                                              : LogLevel::warning;
                });
  flags->string({"--config", "FILE",
                 "JSON or YAML with flags as keys; the command line goes "
                 "first.",
                 ""},
                &draft->config);
}

// What the command line says about a matter replaces all that the configuration says about it.
void declare_overrides(FlagSet* flags) {
  const std::vector<std::string> prompts{"prompts", "prompt", "prompt-path"};
  const std::vector<std::string> shortcuts{"4k", "2k", "1080p", "720p"};
  std::vector<std::string> sizes = shortcuts;
  sizes.insert(sizes.end(), {"width", "height"});
  const std::vector<std::string> save{"save-output", "no-save-output"};
  const std::vector<std::string> quality{"output-quality", "output-compression"};
  const std::vector<std::string> latents{"latents", "from-latents"};
  for (const auto& group : {prompts, save, quality, latents}) flags->overrides(group, group);
  flags->overrides(shortcuts, sizes);
  flags->overrides({"width", "height"}, shortcuts);
  flags->overrides({"output-file-path"}, {"output-path", "output-file-name"});
  flags->overrides({"output-path", "output-file-name"}, {"output-file-path"});
}

void declare_all(FlagSet* flags, Draft* draft) {
  declare_prompts(flags, draft);
  declare_sampling(flags, draft);
  declare_size(flags, draft);
  declare_model(flags, draft);
  declare_window(flags, draft);
  declare_output(flags, draft);
  declare_program(flags, draft);
  declare_overrides(flags);
}

// At most one of `names` may be given.
void check_exclusive(const FlagSet& flags, const std::vector<std::string>& names) {
  std::string first;
  for (const std::string& name : names) {
    if (!flags.given(name)) continue;
    const std::string shown = name == "prompts" ? "a prompt without flag" : flags.origin(name);
    if (!first.empty())
      fail(ErrorKind::usage, shown, ": expected not to stand beside ", first, ", got both");
    first = shown;
  }
}

void check_conflicts(const FlagSet& flags) {
  check_exclusive(flags, {"prompts", "prompt", "prompt-path"});
  check_exclusive(flags, {"latents", "from-latents"});
  check_exclusive(flags, {"save-output", "no-save-output"});
  check_exclusive(flags, {"output-quality", "output-compression"});
  check_exclusive(flags, {"output-file-path", "output-file-name"});
  check_exclusive(flags, {"output-file-path", "output-path"});
  // Without denoising there is nothing new to save or to trace.
  check_exclusive(flags, {"from-latents", "save-latents"});
  for (const char* shortcut : {"4k", "2k", "1080p", "720p"})
    for (const char* side : {"width", "height"}) check_exclusive(flags, {shortcut, side});
}

void settle_prompts(const FlagSet& flags, Draft* draft) {
  std::vector<std::string>& prompts = draft->result.request.prompts;
  const std::string flag = flags.given("prompt") ? flags.origin("prompt") : "prompt";
  if (flags.given("prompt-path"))
    prompts = read_prompts(draft->prompt_path, flags.origin("prompt-path"));
  else
    prompts = flags.given("prompt") ? draft->prompt_flags : draft->prompts;
  for (const std::string& prompt : prompts) check_prompt(prompt, flag);
  if (draft->result.request.negative_prompt)
    check_prompt(*draft->result.request.negative_prompt, flags.origin("negative-prompt"));
  if (!prompts.empty() || !draft->result.request.from_latents_path.empty()) return;
  if (draft->needs_prompt)
    fail(ErrorKind::usage, "prompt: expected one, got none; see mxdit generate --help");
  // The longest: a character is at least a token.
  prompts.emplace_back(static_cast<size_t>(draft->result.request.max_sequence_length), 'x');
}

// Flags that name files: given and empty is a mistake, not "none".
void check_not_empty(const FlagSet& flags, const GenerateArguments& arguments) {
  const std::pair<const char*, const std::string*> files[] = {
      {"model-path", &arguments.engine.model_path},
      {"latents", &arguments.request.latents_path},
      {"save-latents", &arguments.request.save_latents_path},
      {"from-latents", &arguments.request.from_latents_path},
      {"trace", &arguments.request.trace_path},
      {"output-file-name", &arguments.output.file_name},
      {"output-file-path", &arguments.output.file_path},
      {"perf-dump-path", &arguments.perf_dump_path}};
  for (const auto& [flag, value] : files)
    if (flags.given(flag) && value->empty())
      fail(ErrorKind::usage, flags.origin(flag), ": expected a name, got an empty one");
}

void settle(const FlagSet& flags, Draft* draft) {
  check_conflicts(flags);
  settle_prompts(flags, draft);
  check_not_empty(flags, draft->result);
  for (const SizeShortcut& size : kSizes) {
    if (draft->shortcut != size.flag) continue;
    draft->result.request.width = size.width;
    draft->result.request.height = size.height;
  }
  settle_model_flags(&draft->result.engine);
  if (draft->result.output.folder.empty()) draft->result.output.save = false;
}

}  // namespace

GenerateArguments parse_generate_arguments(const std::vector<std::string>& arguments) {
  FlagSet flags("generate");
  Draft draft;
  declare_all(&flags, &draft);
  flags.parse(arguments);
  settle(flags, &draft);
  return draft.result;
}

namespace {

// The flags are generate's, and so are their messages and the section of a configuration file.
FlagSet plan_flags(Draft* draft, bool* json) {
  FlagSet flags("generate");
  draft->needs_prompt = false;
  flags.group("Report");
  flags.boolean({"--json", "[true|false]", "As JSON.", "false"},
                [json](bool value) { *json = value; });
  declare_all(&flags, draft);
  return flags;
}

}  // namespace

PlanArguments parse_plan_arguments(const std::vector<std::string>& arguments) {
  PlanArguments result;
  Draft draft;
  FlagSet flags = plan_flags(&draft, &result.json);
  flags.parse(arguments);
  settle(flags, &draft);
  result.generate = draft.result;
  return result;
}

std::string plan_flag_help() {
  Draft draft;
  bool json = false;
  return flag_help(plan_flags(&draft, &json));
}

bool asks_for_help(const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::any_of(arguments.begin(), end,
                     [](const auto& a) { return a == "--help" || a == "-h"; });
}

std::string settings_text(const GenerateRequest& r) {
  std::ostringstream out;
  if (r.width && r.height) out << *r.width << 'x' << *r.height << ", ";
  if (r.num_frames) out << *r.num_frames << " frames, ";
  if (r.fps) out << *r.fps << " frames per second, ";
  if (!r.from_latents_path.empty()) {
    out << "decoded from " << r.from_latents_path;
    return out.str();
  }
  if (r.num_inference_steps) out << *r.num_inference_steps << " steps, ";
  if (r.guidance_scale) out << "guidance " << *r.guidance_scale;
  if (r.guidance_scale && r.guidance_scale_2) out << " and " << *r.guidance_scale_2;
  if (r.guidance_scale) out << ", ";
  out << "seed " << r.seed.value_or(42);
  return out.str();
}

std::string generate_flag_help() {
  FlagSet flags("generate");
  Draft draft;
  declare_all(&flags, &draft);
  return flag_help(flags);
}

}  // namespace mxdit::cli

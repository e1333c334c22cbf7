#include "quantize_command.h"

#include <algorithm>
#include <cstdio>

#include "app_error.h"
#include "flag_help.h"
#include "flag_set.h"
#include "mxdit/quantize.h"
#include "quantize_report.h"
#include "stop_signals.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit quantize --output-path DIR [--model-path DIR] [flags]\n\n"
    "Makes a quantized checkpoint of a plain model, in msmodelslim's format. By default the\n"
    "first blocks become W8A8_MXFP8, the rest W4A4_MXFP4_DUALSCALE. Without --model-path the\n"
    "small model that comes with mxdit is taken. The output appears complete or not at all.\n\n";

constexpr char kExamples[] =
    "Examples:\n"
    "  mxdit quantize --model-path Wan2.2-T2V-A14B-Diffusers --output-path Wan2.2-MXFP4\n"
    "  mxdit quantize --model-path Wan2.2-T2V-A14B-Diffusers --output-path Wan2.2-MXFP8 \\\n"
    "      --type W8A8_MXFP8 --keep blocks.0 blocks.39\n"
    "  mxdit quantize --model-path Wan2.2-T2V-A14B-Diffusers --output-path exported \\\n"
    "      --names original --container --type W4A4_MXFP4_DUALSCALE --rule minmax\n";

constexpr double kGigabyte = 1e9;

struct QuantizeArguments {
  QuantizeModelOptions options;
  ProgressMode progress = ProgressMode::automatic;
  bool json = false;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void declare_recipe(FlagSet* flags, QuantizeModelOptions* options) {
  std::string rules;
  std::vector<std::string> rule_names;
  for (const QuantizeRule& rule : quantize_rules()) {
    rules += (rules.empty() ? "" : "; ") + rule.name + ": " + rule.summary;
    rule_names.push_back(rule.name);
  }
  flags->group("Recipe");
  // The library checks it: choices of flags are in lower case.
  flags->string({"--type", "TYPE", "One type for all layers: " + joined(quantize_types()) + ".",
                 "the default recipe"},
                &options->type);
  flags->integer({"--mxfp8-blocks", "N", "Blocks of the default recipe in W8A8_MXFP8.",
                  "an eighth, at most 5"},
                 0, 1'000'000,
                 [options](int64_t blocks) { options->mxfp8_blocks = static_cast<int>(blocks); });
  flags->choice({"--rule", "NAME", "How weights are encoded. " + rules + ".", "operator"},
                rule_names, [options](const std::string& rule) { options->rule = rule; });
  flags->list(
      {"--keep", "NAME...",
       "Layers that stay plain, by whole segments of their names: blocks.0, attn2.to_q.", ""},
      &options->keep);
  flags->boolean({"--proj-out", "[true|false]", "Quantize the last projection as well.", "false"},
                 [options](bool value) { options->proj_out = value; });
}

void declare_output(FlagSet* flags, QuantizeModelOptions* options) {
  flags->group("Output");
  flags->boolean(
      {"--container", "[true|false]",
       "MXFP4 weights in float8 containers, one value a byte, instead of packed.", "false"},
      [options](bool value) { options->container = value; });
  flags->choice(
      {"--names", "NAMES",
       "diffusers: a whole model; original: an exporter's folders, for mxdit repack.", "diffusers"},
      {"diffusers", "original"},
      [options](const std::string& names) { options->original_names = names == "original"; });
  flags->number({"--max-shard-size", "GB", "Tensor data per file, in 10^9 bytes.", "5"}, 1e-6, 1e6,
                [options](double gigabytes) {
                  options->max_shard_bytes = static_cast<uint64_t>(gigabytes * kGigabyte);
                });
  flags->boolean({"--force", "[true|false]",
                  "Replace the output of an earlier run, or of one that was killed.", "false"},
                 [options](bool value) { options->force = value; });
}

void declare(FlagSet* flags, QuantizeArguments* arguments) {
  QuantizeModelOptions* options = &arguments->options;
  flags->group("Models");
  flags->string(
      {"--model-path", "DIR", "A plain model in diffusers' layout.", "the embedded model"},
      &options->model_path);
  flags->string({"--output-path", "DIR", "The folder to make.", ""}, &options->output_path);
  declare_recipe(flags, options);
  declare_output(flags, options);
  flags->group("Machine");
  flags->string({"--device", "NAME", "Where to compute: cpu, exact, ascend or ascend:N.", "cpu"}, &options->device);
  flags->string(
      {"--isa", "NAME", "Force the processor's kernels: scalar, avx2, avx512.", "the best one"},
      &options->isa);
  flags->integer({"--threads", "N", "Threads; 0 is one per processor.", "0"}, 0, 4096,
                 [options](int64_t value) { options->threads = static_cast<int>(value); });
  flags->group("Program");
  flags->boolean({"--json", "[true|false]", "The summary as JSON, with every layer.", "false"},
                 [arguments](bool value) { arguments->json = value; });
  flags->choice(
      {"--progress", "MODE", "auto, bar, plain, json (lines on standard output) or none.", "auto"},
      {"auto", "bar", "plain", "json", "none"},
      [arguments](const std::string& mode) { arguments->progress = parse_progress_mode(mode); });
}

void print_help(std::ostream& out) {
  QuantizeArguments ignored;
  FlagSet flags("quantize");
  declare(&flags, &ignored);
  out << kUsage << flag_help(flags) << "\n" << kExamples;
}

QuantizeArguments parse(const std::vector<std::string>& arguments) {
  QuantizeArguments result;
  FlagSet flags("quantize");
  declare(&flags, &result);
  flags.parse(arguments);
  if (result.options.output_path.empty())
    fail(ErrorKind::usage, "--output-path: expected a value, got none; see mxdit quantize --help");
  return result;
}

QuantizeModelSummary quantize_with(QuantizeModelOptions options, ProgressDisplay& display) {
  CancelToken cancel;
  const StopSignals signals(&cancel);
  // It stops within moments; ending at once would leave a working folder behind.
  const StopSignals::Hold hold;
  try {
    if (options.model_path.empty()) {
      options.model_path = embedded_model_path();
      display.message(
          "model: the small one that comes with mxdit, since no --model-path was given");
    }
    return quantize_model(
        options, [&](const Progress& progress) { display.update(progress); }, &cancel);
  } catch (const Error& error) {
    display.error(error);
    throw;
  }
}

}  // namespace

int run_quantize(const std::vector<std::string>& arguments, const Console& console) {
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; })) {
    print_help(console.out);
    return 0;
  }
  const QuantizeArguments parsed = parse(arguments);
  auto display = make_progress_display(parsed.progress, console);
  const QuantizeModelSummary summary = quantize_with(parsed.options, *display);
  for (const QuantizedComponentReport& part : summary.components)
    for (const std::string& warning : part.warnings)
      display->message("warning: " + part.name + ": " + warning);
  display.reset();  // a bar leaves the screen before the table
  if (parsed.progress == ProgressMode::json)
    console.out << quantize_json_line(summary) << std::endl;
  else if (parsed.json)
    console.out << quantize_json(summary) << std::endl;
  else
    console.out << quantize_text(summary) << std::flush;
  return 0;
}

}  // namespace mxdit::cli

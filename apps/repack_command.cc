#include "repack_command.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app_error.h"
#include "flag_help.h"
#include "flag_set.h"
#include "mxdit/repack.h"
#include "stop_signals.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit repack --model-type TYPE --original-model-path DIR --quant-path DIR\n"
    "                    --output-path DIR [flags]\n"
    "       mxdit repack --reverse --model-type TYPE --quant-path DIR --output-path DIR\n\n"
    "Turns a quantizer's checkpoint (quant_model_weight*.safetensors with its\n"
    "quant_model_description.json) into a model folder that mxdit generate loads, or with\n"
    "--reverse back. Names, types and shapes of all tensors are checked before anything is\n"
    "written; the output appears complete or not at all.\n\n";

constexpr char kExamples[] =
    "Examples:\n"
    "  mxdit repack --model-type Wan2.2-T2V-A14B --quant-path exported \\\n"
    "      --original-model-path Wan2.2-T2V-A14B-Diffusers --output-path Wan2.2-MXFP4 --pack\n"
    "  mxdit repack --reverse --model-type Wan2.2-T2V-A14B --quant-path Wan2.2-MXFP4 \\\n"
    "      --output-path exported-again\n";

constexpr double kGigabyte = 1e9;

struct RepackArguments {
  RepackOptions options;
  ProgressMode progress = ProgressMode::automatic;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void declare(FlagSet* flags, RepackArguments* arguments) {
  RepackOptions& options = arguments->options;
  flags->group("Models");
  flags->string({"--model-type", "TYPE", "One of " + joined(repack_model_types()) + ".", ""},
                &options.model_type);
  flags->string({"--original-model-path", "DIR",
                 "The model in diffusers' layout; everything but its transformers is copied.", ""},
                &options.original_model_path);
  flags->string({"--quant-path", "DIR",
                 "What the quantizer wrote; for A14B with high_noise_model/ and "
                 "low_noise_model/. With --reverse a model folder.",
                 ""},
                &options.quant_path);
  flags->string({"--output-path", "DIR", "The folder to make.", ""}, &options.output_path);
  flags->group("Conversion");
  flags->boolean({"--pack", "[true|false]",
                  "Pack MXFP4 weights that lie in float8 containers: half the size.", "false"},
                 [&options](bool value) { options.pack = value; });
  flags->boolean(
      {"--reverse", "[true|false]", "From diffusers' names to the original ones.", "false"},
      [&options](bool value) { options.reverse = value; });
  flags->number({"--max-shard-size", "GB", "Tensor data per file, in 10^9 bytes.", "5"}, 1e-6, 1e6,
                [&options](double gigabytes) {
                  options.max_shard_bytes = static_cast<uint64_t>(gigabytes * kGigabyte);
                });
  flags->group("Program");
  flags->boolean({"--force", "[true|false]",
                  "Replace the output of an earlier run, and resume one that was killed.", "false"},
                 [&options](bool value) { options.force = value; });
  flags->choice(
      {"--progress", "MODE", "auto, bar, plain, json (lines on standard output) or none.", "auto"},
      {"auto", "bar", "plain", "json", "none"},
      [arguments](const std::string& mode) { arguments->progress = parse_progress_mode(mode); });
}

RepackArguments parse(const std::vector<std::string>& arguments) {
  RepackArguments result;
  FlagSet flags("repack");
  declare(&flags, &result);
  flags.parse(arguments);
  const std::pair<const char*, const std::string*> required[] = {
      {"model-type", &result.options.model_type},
      {"quant-path", &result.options.quant_path},
      {"output-path", &result.options.output_path},
      {"original-model-path", &result.options.original_model_path}};
  for (const auto& [flag, value] : required) {
    const bool is_original = value == &result.options.original_model_path;
    if (value->empty() && !(is_original && result.options.reverse))
      fail(ErrorKind::usage, "--", flag, ": expected a value, got none; see mxdit repack --help");
  }
  return result;
}

void print_help(std::ostream& out) {
  RepackArguments ignored;
  FlagSet flags("repack");
  declare(&flags, &ignored);
  out << kUsage << flag_help(flags) << "\n" << kExamples;
}

// "14.3 GB"
std::string size_text(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  char text[40];
  std::snprintf(text, sizeof(text), unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value,
                kUnits[unit]);
  return text;
}

using Row = std::vector<std::string>;

// The first column to the left, numbers to the right.
void print_rows(std::ostream& out, const std::vector<Row>& rows) {
  Row::size_type columns = rows.front().size();
  std::vector<size_t> widths(columns, 0);
  for (const Row& row : rows)
    for (size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < columns; ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      out << (i == 0 ? row[i] + padding : "  " + padding + row[i]);
    }
    out << "\n";
  }
}

void print_table(std::ostream& out, const RepackSummary& summary) {
  std::vector<Row> rows = {{"component", "tensors", "renamed", "packed", "files", "kept", "size"}};
  for (const RepackedComponent& part : summary.components)
    rows.push_back({part.name == "." ? "transformer" : part.name, std::to_string(part.tensors),
                    std::to_string(part.renamed), std::to_string(part.packed),
                    std::to_string(part.shards), std::to_string(part.kept_shards),
                    size_text(part.bytes)});
  print_rows(out, rows);
  if (summary.copied_files > 0)
    out << "copied: " << summary.copied_files << " files, " << size_text(summary.copied_bytes)
        << "\n";
  out << "done in " << duration_text(summary.seconds) << ": " << summary.output_path << std::endl;
}

void print_json(std::ostream& out, const RepackSummary& summary) {
  nlohmann::json components = nlohmann::json::array();
  for (const RepackedComponent& part : summary.components)
    components.push_back({{"name", part.name},
                          {"tensors", part.tensors},
                          {"renamed", part.renamed},
                          {"packed", part.packed},
                          {"files", part.shards},
                          {"kept_files", part.kept_shards},
                          {"bytes", part.bytes},
                          {"warnings", part.warnings}});
  const nlohmann::json line = {{"event", "summary"},
                               {"path", summary.output_path},
                               {"components", components},
                               {"copied_files", summary.copied_files},
                               {"copied_bytes", summary.copied_bytes},
                               {"seconds", summary.seconds}};
  out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

RepackSummary repack_with(const RepackOptions& options, ProgressDisplay& display) {
  CancelToken cancel;
  const StopSignals signals(&cancel);
  // It stops within moments; ending at once would leave a working folder behind.
  const StopSignals::Hold hold;
  try {
    return repack(
        options, [&](const Progress& progress) { display.update(progress); }, &cancel);
  } catch (const Error& error) {
    display.error(error);
    throw;
  }
}

}  // namespace

int run_repack(const std::vector<std::string>& arguments, const Console& console) {
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; })) {
    print_help(console.out);
    return 0;
  }
  const RepackArguments parsed = parse(arguments);
  auto display = make_progress_display(parsed.progress, console);
  const RepackSummary summary = repack_with(parsed.options, *display);
  for (const RepackedComponent& part : summary.components)
    for (const std::string& warning : part.warnings) display->message("warning: " + warning);
  display.reset();  // a bar leaves the screen before the table
  if (parsed.progress == ProgressMode::json)
    print_json(console.out, summary);
  else
    print_table(console.out, summary);
  return 0;
}

}  // namespace mxdit::cli

#include "compare_perf_command.h"

#include <algorithm>

#include "app_error.h"
#include "flag_help.h"
#include "perf_report.h"
#include "text_file.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit compare-perf BASELINE.json NEW.json... [flags]\n\n"
    "Compares files that mxdit generate --perf-dump-path wrote (the reference system's\n"
    "are read as well) and prints a Markdown report. The first file is the baseline.\n\n";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mxdit compare-perf bf16.json mxfp4.json\n"
    "  mxdit compare-perf bf16.json mxfp8.json mxfp4.json --plot stages.svg\n";

}  // namespace

int run_compare_perf(const std::vector<std::string>& arguments, const Console& console) {
  std::vector<std::string> files;
  std::string plot;
  FlagSet flags("compare-perf");
  flags.positional({"FILES", "FILE...", "Files of --perf-dump-path, the baseline first.", ""},
                   &files);
  flags.string({"--plot", "FILE.svg", "Draw the stages as bars.", ""}, &plot);
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; })) {
    console.out << kUsage << flag_help(flags) << kExamples;
    return 0;
  }
  flags.parse(arguments);
  if (files.size() < 2)
    fail(ErrorKind::usage, "compare-perf: expected at least two files, got ", files.size());
  std::vector<PerfRecord> records;
  for (const std::string& file : files) records.push_back(read_perf_dump(file));
  if (!plot.empty()) write_text_file("--plot", plot, perf_chart(records));
  console.out << perf_report(records);
  return 0;
}

}  // namespace mxdit::cli

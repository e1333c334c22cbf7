#include "bench_command.h"

#include <algorithm>
#include <iostream>

#include "bench_arguments.h"
#include "bench_report.h"
#include "stop_signals.h"
#include "text_file.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit bench linear|attention|vae|dit|peak [flags]\n\n"
    "Measures a part of a model; making weights, loading and quantizing are not part of\n"
    "the times.\n\n"
    "  linear     one matrix product with bias, activation quantization included\n"
    "  attention  over all heads, without mask\n"
    "  vae        decode of latents\n"
    "  dit        one forward of a transformer, batch 1\n"
    "  peak       what the machine's multipliers do at most\n\n";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mxdit bench linear --shape wan --quantization mxfp4_npu\n"
    "  mxdit bench attention --tokens 4680 --keys 512\n"
    "  mxdit bench dit --shape wan2.1-t2v-1.3b --height 480 --width 832 --num-frames 9 --json\n"
    "  yes | head -5 | mxdit bench vae --paced\n";

void report(const BenchArguments& arguments, const Console& console, const std::string& text,
            const std::string& json) {
  if (!arguments.json_path.empty()) write_text_file("--json", arguments.json_path, json);
  console.out << (arguments.json && arguments.json_path.empty() ? json : text) << std::flush;
}

int run_peak(const BenchArguments& arguments, const Console& console) {
  const std::vector<MachinePeak> peaks = measure_machine_peaks(arguments.options);
  report(arguments, console, peak_text(peaks), peak_json(peaks));
  return 0;
}

int run_all(const BenchArguments& arguments, const Console& console) {
  CancelToken cancel;
  const StopSignals signals(&cancel);
  std::vector<BenchResult> results;
  for (const auto& make : arguments.cases) {
    const auto benchmark = make(&cancel);
    for (int i = 0; i < arguments.warmup; ++i) benchmark->run(&cancel);
    BenchResult result;
    for (int i = 0; i < arguments.repeat; ++i) result.samples.push_back(benchmark->run(&cancel));
    result.facts = benchmark->facts();
    results.push_back(std::move(result));
  }
  report(arguments, console, bench_text(results), bench_json(results));
  return 0;
}

// A run for each line: whoever writes them decides when this program computes.
int run_paced(const BenchArguments& arguments, const Console& console, std::istream& in) {
  std::unique_ptr<Benchmark> benchmark;
  {
    CancelToken cancel;
    const StopSignals signals(&cancel);  // weights under way are removed
    benchmark = arguments.cases.front()(&cancel);
    for (int i = 0; i < arguments.warmup; ++i) benchmark->run(&cancel);
  }
  BenchResult result;
  for (std::string line; std::getline(in, line);) {
    result.samples.push_back(benchmark->run(nullptr));
    result.facts = benchmark->facts();
    console.out << bench_run_json(result) << std::flush;
    if (!console.out) return 0;  // nobody reads any more
  }
  if (!arguments.json_path.empty() && !result.samples.empty())
    write_text_file("--json", arguments.json_path, bench_json({result}));
  return 0;
}

}  // namespace

int run_bench(const std::vector<std::string>& arguments, const Console& console, std::istream& in) {
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; })) {
    console.out << kUsage << bench_flag_help() << kExamples;
    return 0;
  }
  const BenchArguments parsed = parse_bench(arguments);
  // Before the work, not after it.
  if (!parsed.json_path.empty()) check_text_file("--json", parsed.json_path);
  if (parsed.subject == "peak") return run_peak(parsed, console);
  return parsed.paced ? run_paced(parsed, console, in) : run_all(parsed, console);
}

int run_bench(const std::vector<std::string>& arguments, const Console& console) {
  return run_bench(arguments, console, std::cin);
}

}  // namespace mxdit::cli

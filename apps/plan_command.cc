#include "plan_command.h"

#include "generate_arguments.h"
#include "plan_report.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit plan [flags] [PROMPT...]\n\n"
    "Shows what mxdit generate with the same flags takes in memory and on disk, stage by\n"
    "stage, and whether it fits. Only headers and configurations are read. Without PROMPT\n"
    "one of full length is assumed. Flags about progress and output files do nothing here.\n\n";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mxdit plan --model-path Wan2.2-T2V-A14B-Diffusers --720p --quantization mxfp4_npu\n"
    "  mxdit plan \"PROMPT\" --num-frames 41 --max-memory 16 --json\n\n"
    "Exit status: 0 the run fits, 6 it does not; others as of mxdit generate.\n";

}  // namespace

int run_plan(const std::vector<std::string>& arguments, const Console& console) {
  if (asks_for_help(arguments)) {
    console.out << kUsage << plan_flag_help() << kExamples;
    return 0;
  }
  PlanArguments parsed = parse_plan_arguments(arguments);
  EngineOptions& options = parsed.generate.engine;
  options.log = [&](LogLevel level, const std::string& text) {
    if (level == LogLevel::warning) console.err << "warning: " << text << std::endl;
  };
  const Engine engine(options);
  PlannedRun run{engine.info(false), engine.resolve(parsed.generate.request), {}};
  run.plan = engine.plan(run.request, parsed.generate.encoding);
  console.out << (parsed.json ? plan_json(run) : plan_text(run));
  if (!run.plan.warning.empty()) console.err << "warning: " << run.plan.warning << std::endl;
  if (!run.plan.fits) throw Error(ErrorKind::out_of_memory, run.plan.refusal);
  return 0;
}

}  // namespace mxdit::cli

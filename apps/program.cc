#include "program.h"

#include <exception>
#include <new>

#include "app_error.h"
#include "bench_command.h"
#include "command.h"
#include "compare_perf_command.h"
#include "doctor_command.h"
#include "generate_command.h"
#include "inspect_command.h"
#include "mxdit/engine.h"
#include "nearest_name.h"
#include "op_command.h"
#include "plan_command.h"
#include "quantize_command.h"
#include "repack_command.h"

namespace mxdit::cli {
namespace {

constexpr Command kCommands[] = {
    {"bench", "measure how fast parts of a model run", run_bench},
    {"compare-perf", "compare what runs took, from their --perf-dump-path files", run_compare_perf},
    {"doctor", "try out a device: libraries, memory, and whether it computes right", run_doctor},
    {"generate", "make a video from a prompt", run_generate},
    {"inspect", "show what a model consists of and how its layers run, or a device", run_inspect},
    {"op", "run a quantized operator on safetensors files", run_op},
    {"plan", "show what a run takes in memory and on disk, and whether it fits", run_plan},
    {"quantize", "make a quantized checkpoint of a plain model", run_quantize},
    {"repack", "turn a quantizer's checkpoint into a model folder, or back", run_repack},
};

void print_help(std::ostream& out) {
  out << "mxdit " << version() << ": video generation with Wan2.2\n\n"
      << "usage: mxdit COMMAND [arguments]\n\ncommands:\n";
  for (const Command& command : kCommands)
    out << "  " << command.name << std::string(14 - std::string(command.name).size(), ' ')
        << command.summary << "\n";
  out << "\nmxdit COMMAND --help says more; mxdit --version prints the version.\n"
      << "A first video: mxdit generate \"PROMPT\"\n";
}

int run_command(const std::vector<std::string>& arguments, const Console& console) {
  if (arguments.empty()) {
    print_help(console.err);
    return exit_status(ErrorKind::usage);
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(console.out);
    return 0;
  }
  if (name == "--version") {
    console.out << "mxdit " << version() << std::endl;
    return 0;
  }
  std::vector<std::string> known{"--help", "--version"};
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run({arguments.begin() + 1, arguments.end()}, console);
    known.emplace_back(command.name);
  }
  const std::string nearest = nearest_name(name, known);
  fail(ErrorKind::usage, "command: expected one of those that mxdit --help lists, got ",
       shown_text(name), nearest.empty() ? "" : "; the nearest known one is " + nearest);
}

int report(const Error& error, const Console& console) {
  console.err << "mxdit: error: " << error.what() << std::endl;
  return exit_status(error.kind());
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, const Console& console) {
  try {
    return run_command(arguments, console);
  } catch (const Error& error) {
    return report(error, console);
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorKind::out_of_memory,
                        "[cli] memory: expected enough for the run, got a failed allocation"),
                  console);
  } catch (const std::exception& error) {
    return report(Error(ErrorKind::internal, std::string("[cli] unexpected: ") + error.what()),
                  console);
  }
}

}  // namespace mxdit::cli

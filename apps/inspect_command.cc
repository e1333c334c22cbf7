#include "inspect_command.h"

#include <algorithm>

#include "app_error.h"
#include "device_report.h"
#include "flag_help.h"
#include "inspect_report.h"
#include "model_flags.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit inspect [MODEL] [flags]\n\n"
    "Shows the components of a model, what decides how it is quantized, and for each\n"
    "linear layer its type, method and kernel, and the memory after load. Nothing is\n"
    "loaded. Without MODEL: the embedded model.\n"
    "With --device and without MODEL: the device's kernels, which of them run here, what\n"
    "each kind of product runs on, threads, memory and caches.\n\n";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mxdit inspect Wan2.2-T2V-A14B-Diffusers\n"
    "  mxdit inspect Wan2.2-T2V-A14B-Diffusers --quantization mxfp4_npu\n"
    "  mxdit inspect --json\n"
    "  mxdit inspect --device\n"
    "  mxdit inspect --device ascend\n"
    "  mxdit inspect --device cpu --isa avx2 --json\n";

struct InspectArguments {
  EngineOptions engine;
  std::vector<std::string> models;
  bool json = false, every_layer = false;
};

void declare(FlagSet* flags, InspectArguments* arguments) {
  flags->positional({"MODEL", "MODEL", "A model folder.", ""}, &arguments->models);
  flags->group("Report");
  flags->boolean({"--json", "[true|false]", "As JSON.", "false"},
                 [arguments](bool value) { arguments->json = value; });
  flags->boolean({"--layers", "[true|false]", "One line for each layer, not for each kind.",
                  "false"},
                 [arguments](bool value) { arguments->every_layer = value; });
  flags->group("Model and machine");
  declare_model_flags(flags, &arguments->engine);
  declare_machine_flags(flags, &arguments->engine);
}

// Here --device may stand alone: for the one that is used without it.
std::vector<std::string> with_device_named(std::vector<std::string> arguments) {
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i)
    if (arguments[i] == "--device" &&
        (i + 1 == arguments.size() || arguments[i + 1].starts_with("-")))
      arguments[i] = "--device=" + EngineOptions().device;
  return arguments;
}

// What belongs to a model would have no effect on the report of a device.
void refuse_model_flags(const FlagSet& flags) {
  const std::vector<std::string> taken{"device", "isa", "threads", "json"};
  for (const Flag& flag : flags.flags()) {
    const std::string& name = flag.names.front();
    if (flags.given(name) && std::find(taken.begin(), taken.end(), name) == taken.end())
      fail(ErrorKind::usage, flags.origin(name),
           ": expected a MODEL beside it, got --device alone, which shows the device");
  }
}

}  // namespace

int run_inspect(const std::vector<std::string>& arguments, const Console& console) {
  FlagSet flags("inspect");
  InspectArguments parsed;
  declare(&flags, &parsed);
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; })) {
    console.out << kUsage << flag_help(flags) << kExamples;
    return 0;
  }
  flags.parse(with_device_named(arguments));
  settle_model_flags(&parsed.engine);
  if (parsed.models.size() > 1 || (!parsed.models.empty() && flags.given("model-path")))
    fail(ErrorKind::usage, "inspect: expected one model, got ",
         parsed.models.size() + (flags.given("model-path") ? 1 : 0));
  if (flags.given("device") && parsed.models.empty() && !flags.given("model-path")) {
    refuse_model_flags(flags);
    const DeviceReport report = inspect_device(parsed.engine);
    console.out << (parsed.json ? device_json(report) : device_text(report));
    return report.problem.empty() ? 0 : exit_status(ErrorKind::unsupported);
  }
  if (!parsed.models.empty()) parsed.engine.model_path = parsed.models.front();
  const ModelReport report = inspect_model(parsed.engine);
  console.out << (parsed.json ? report_json(report) : report_text(report, parsed.every_layer));
  return 0;
}

}  // namespace mxdit::cli

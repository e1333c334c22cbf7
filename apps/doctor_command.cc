#include "doctor_command.h"

#include <algorithm>

#include "app_error.h"
#include "doctor_report.h"
#include "flag_help.h"
#include "flag_set.h"
#include "mxdit/doctor.h"
#include "text_file.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit doctor [flags]\n\n"
    "Tries out a device: its libraries and their symbols, memory, published vectors of\n"
    "the quantized operators, a linear layer of each mode and the networks' operators\n"
    "against reference arithmetic. Goes on after a failure. Exit status 1 when a check\n"
    "failed.\n\n";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mxdit doctor --device ascend\n"
    "  mxdit doctor --device ascend:1 --report doctor.json\n"
    "  mxdit doctor --device cpu --isa avx2\n";

}  // namespace

int run_doctor(const std::vector<std::string>& arguments, const Console& console) {
  EngineOptions options;
  std::string report_path;
  FlagSet flags("doctor");
  flags.group("Report");
  flags.string({"--report", "FILE", "Write all of it as JSON, to send to the makers of mxdit.", ""},
               &report_path);
  flags.group("Machine");
  flags.string({"--device", "NAME", "The device: cpu, exact, ascend or ascend:N.", "cpu"},
               &options.device);
  flags.string({"--isa", "NAME", "Of the device cpu: force its kernels.", "the best one"},
               &options.isa);
  flags.integer({"--threads", "N", "Threads; 0 is one per processor.", "0"}, 0, 4096,
                [&](int64_t value) { options.threads = static_cast<int>(value); });
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; })) {
    console.out << kUsage << flag_help(flags) << kExamples;
    return 0;
  }
  flags.parse(arguments);
  if (!report_path.empty()) check_text_file("--report", report_path);
  std::string group;
  const DoctorReport report = examine_device(options, [&](const DoctorCheck& check) {
    console.out << check_text(check, group) << std::flush;
    group = check.group;
  });
  console.out << "\n" << verdict_text(report) << "\n";
  if (!report_path.empty()) write_text_file("--report", report_path, doctor_json(report));
  return report.healthy() ? 0 : 1;
}

}  // namespace mxdit::cli

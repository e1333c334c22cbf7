#include "doctor_report.h"

#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "build_info.h"
#include "device_report.h"

namespace mxdit::cli {
namespace {

using Outcome = DoctorCheck::Outcome;
using Json = nlohmann::ordered_json;

constexpr Outcome kOutcomes[] = {Outcome::passed, Outcome::refused, Outcome::failed,
                                 Outcome::skipped};

const char* name(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "passed";
    case Outcome::refused:
      return "refused";
    case Outcome::failed:
      return "FAILED";
    case Outcome::skipped:
      return "skipped";
  }
  return "?";
}

size_t count(const DoctorReport& report, Outcome outcome) {
  size_t number = 0;
  for (const DoctorCheck& check : report.checks) number += check.outcome == outcome ? 1 : 0;
  return number;
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &utc);
  return text;
}

// What CANN looks at; only what is set.
Json environment_json() {
  Json variables = Json::object();
  for (const char* name : {"ASCEND_HOME_PATH", "ASCEND_OPP_PATH", "ASCEND_CUSTOM_OPP_PATH",
                           "ASCEND_RT_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "MXDIT_ISA"})
    if (const char* value = std::getenv(name)) variables[name] = value;
  return variables;
}

Json system_json() {
  utsname system{};
  if (uname(&system) != 0) return nullptr;
  return {{"system", system.sysname}, {"release", system.release}, {"machine", system.machine}};
}

}  // namespace

std::string check_text(const DoctorCheck& check, const std::string& last_group) {
  std::ostringstream out;
  if (check.group != last_group) out << (last_group.empty() ? "" : "\n") << check.group << "\n";
  out << "  " << std::left << std::setw(8) << name(check.outcome) << std::setw(40) << check.name
      << check.detail << "\n";
  return out.str();
}

std::string verdict_text(const DoctorReport& report) {
  std::string text = report.device.device + ": ";
  bool first = true;
  for (const Outcome outcome : kOutcomes) {
    const size_t number = count(report, outcome);
    if (number == 0) continue;
    text += (first ? "" : ", ") + std::to_string(number) + " " + name(outcome);
    first = false;
  }
  return text;
}

std::string doctor_json(const DoctorReport& report) {
  Json checks = Json::array();
  for (const DoctorCheck& check : report.checks)
    checks.push_back(
        {{"group", check.group},
         {"name", check.name},
         {"outcome", check.outcome == Outcome::failed ? "failed" : name(check.outcome)},
         {"detail", check.detail},
         {"seconds", check.seconds}});
  const Json document = {{"mxdit", report.version},
                         {"commit", kCommit},
                         {"compiler", kCompiler},
                         {"timestamp", now_text()},
                         {"healthy", report.healthy()},
                         {"system", system_json()},
                         {"environment", environment_json()},
                         {"checks", checks},
                         {"device", Json::parse(device_json(report.device))}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mxdit::cli

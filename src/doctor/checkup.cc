#include "doctor/check.h"

#include <chrono>

#include "core/error.h"

namespace mxdit::doctor {
namespace {

using Outcome = DoctorCheck::Outcome;

DoctorCheck run_one(Backend& backend, const Check& check) {
  DoctorCheck done{check.group, check.name, Outcome::passed, "", 0};
  const auto begin = std::chrono::steady_clock::now();
  try {
    done.detail = check.run(backend);
    backend.synchronize();
  } catch (const Error& error) {
    done.outcome = error.kind() == ErrorKind::unsupported ? Outcome::refused : Outcome::failed;
    done.detail = error.what();
  } catch (const std::exception& error) {
    done.outcome = Outcome::failed;
    done.detail = error.what();
  }
  done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return done;
}

}  // namespace

void run_checks(const MakeBackend& make, std::unique_ptr<Backend> backend,
                const std::vector<Check>& checks, const CheckSink& each,
                std::vector<DoctorCheck>& done) {
  std::string lost;  // why no back end could be made after a failure
  for (const Check& check : checks) {
    if (backend == nullptr) {
      done.push_back({check.group, check.name, Outcome::skipped,
                      lost.empty() ? "the device cannot be used" : lost, 0});
    } else {
      done.push_back(run_one(*backend, check));
      if (done.back().outcome == Outcome::failed) {
        try {
          backend = make();
        } catch (const Error& error) {
          backend.reset();
          lost = error.what();
        }
      }
    }
    if (each) each(done.back());
  }
}

namespace {

DoctorCheck device_check(const char* name, bool good, std::string detail) {
  return {"device", name, good ? Outcome::passed : Outcome::failed, std::move(detail), 0};
}

DoctorCheck libraries_check(const DeviceReport& device) {
  std::string open, absent;
  for (const LibraryReport& library : device.libraries) {
    std::string& list = library.why_absent.empty() ? open : absent;
    list += (list.empty() ? "" : ", ") + library.name;
  }
  // Alternatives and what is left over: what is needed shows as symbols.
  return device_check(
      "libraries", !open.empty(),
      "open: " + (open.empty() ? "none" : open) + (absent.empty() ? "" : "; not there: " + absent));
}

// The device's report has all of them.
DoctorCheck symbols_check(const DeviceReport& device) {
  constexpr size_t kNamed = 6;
  std::string named;
  size_t missing = 0;
  for (const SymbolReport& symbol : device.symbols)
    if (symbol.library.empty() && missing++ < kNamed)
      named += (named.empty() ? "" : ", ") + symbol.name + " (from version " + symbol.since + ")";
  std::string detail = std::to_string(device.symbols.size() - missing) + " found";
  if (missing > 0) detail += "; missing: " + named;
  if (missing > kNamed) detail += " and " + std::to_string(missing - kNamed) + " more";
  return device_check("symbols", missing == 0, detail);
}

DoctorCheck memory_check(const DeviceReport& device) {
  if (!device.problem.empty())
    return {"device", "memory", Outcome::skipped, "the device cannot be used", 0};
  if (!device.memory_bytes || !device.available_bytes)
    return device_check("memory", true, "the device does not tell");
  return device_check("memory", *device.available_bytes > 0,
                      std::to_string(*device.available_bytes >> 20) + " of " +
                          std::to_string(*device.memory_bytes >> 20) + " MiB are free");
}

}  // namespace

// What the device's report says, as checks.
std::vector<DoctorCheck> device_checks(const DeviceReport& device) {
  std::vector<DoctorCheck> checks;
  if (!device.libraries.empty()) {
    checks.push_back(libraries_check(device));
    checks.push_back(symbols_check(device));
  }
  checks.push_back(device_check("device", device.problem.empty(),
                                device.problem.empty() ? device.processor : device.problem));
  checks.push_back(memory_check(device));
  return checks;
}

std::vector<Check> all_checks() {
  std::vector<Check> checks;
  for (const auto& list : {memory_checks(), vector_checks(), layer_checks(), operator_checks()})
    checks.insert(checks.end(), list.begin(), list.end());
  return checks;
}

}  // namespace mxdit::doctor

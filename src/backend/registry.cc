#include "backend/registry.h"

#include <charconv>
#include <optional>

#include "backend/ascend/ascend_backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/exact/exact_backend.h"

namespace mxdit {
namespace {

struct Entry {
  const char* name;
  bool numbered;  // "name:N" is the device N of several
  std::unique_ptr<Backend> (*make)(const BackendOptions& options, int index);
  // Adds what can be said without the device; null: nothing.
  void (*describe)(DeviceReport& report);
};

std::unique_ptr<Backend> make_cpu(const BackendOptions& options, int) {
  return std::make_unique<cpu::CpuBackend>(options);
}

std::unique_ptr<Backend> make_exact(const BackendOptions& options, int) {
  return std::make_unique<cpu::exact::ExactBackend>(options);
}

std::unique_ptr<Backend> make_ascend(const BackendOptions& options, int index) {
  if (!options.isa.empty())
    fail(ErrorKind::usage, "[backend] kernel table: expected none for the device ascend, got ",
         options.isa);
  return std::make_unique<ascend::AscendBackend>(ascend::DeviceOptions{.index = index});
}

void describe_ascend(DeviceReport& report) {
  ascend::cann::describe(*ascend::cann::Libraries::look(), report);
}

// Every back end of this build, in the order in which messages name them.
constexpr Entry kBackends[] = {
    {"cpu", false, make_cpu, nullptr},
    {"exact", false, make_exact, nullptr},
    {"ascend", true, make_ascend, describe_ascend},
};

struct Chosen {
  const Entry* entry;
  int index;
};

// The number behind "name:", 0..9999.
std::optional<int> parse_index(std::string_view text) {
  int index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && index >= 0 && index <= 9999 ? std::optional(index) : std::nullopt;
}

std::optional<Chosen> find(const std::string& device) {
  for (const Entry& entry : kBackends) {
    if (device == entry.name) return Chosen{&entry, 0};
    const std::string prefix = std::string(entry.name) + ":";
    if (!entry.numbered || !device.starts_with(prefix)) continue;
    if (const auto index = parse_index(device.substr(prefix.size()))) return Chosen{&entry, *index};
  }
  return std::nullopt;
}

Chosen find_or_fail(const std::string& device) {
  if (const auto chosen = find(device)) return *chosen;
  std::string names;
  for (const Entry& entry : kBackends)
    names += (names.empty() ? "" : ", ") + std::string(entry.name) + (entry.numbered ? "[:N]" : "");
  fail(ErrorKind::usage, "[backend] device: expected one of ", names, ", got ", device);
}

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& device, const BackendOptions& options) {
  const Chosen chosen = find_or_fail(device);
  return chosen.entry->make(options, chosen.index);
}

DeviceReport describe_device(const std::string& device, const BackendOptions& options) {
  const Chosen chosen = find_or_fail(device);
  DeviceReport report;
  try {
    const auto backend = chosen.entry->make(options, chosen.index);
    report = backend->report();
    if (const auto memory = backend->memory()) {
      report.memory_bytes = memory->total;
      report.available_bytes = memory->free;
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::usage || chosen.entry->describe == nullptr) throw;
    report = DeviceReport();
    report.device = device;
    report.problem = error.what();
    chosen.entry->describe(report);
  }
  return report;
}

bool is_device_name(const std::string& device) { return find(device).has_value(); }

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kBackends) names.emplace_back(entry.name);
  return names;
}

}  // namespace mxdit

#include "backend/registry.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/exact/exact_backend.h"

namespace mxdit {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Backend> (*make)(const BackendOptions& options);
};

// Every back end of this build, in the order in which messages name them.
constexpr Entry kBackends[] = {
    {"cpu",
     [](const BackendOptions& options) -> std::unique_ptr<Backend> {
       return std::make_unique<cpu::CpuBackend>(options);
     }},
    {"exact",
     [](const BackendOptions& options) -> std::unique_ptr<Backend> {
       return std::make_unique<cpu::exact::ExactBackend>(options);
     }},
};

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& device, const BackendOptions& options) {
  std::string names;
  for (const Entry& entry : kBackends) {
    if (device == entry.name) return entry.make(options);
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail(ErrorKind::usage, "[backend] device: expected one of ", names, ", got ", device);
}

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kBackends) names.emplace_back(entry.name);
  return names;
}

}  // namespace mxdit

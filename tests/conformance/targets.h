// What the case tables run on: the kernel tables of this machine by name, and the device exact.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "conformance/tables.h"

namespace mxdit::conformance {

inline constexpr const char* kExact = "exact";

inline std::vector<std::string> targets() {
  std::vector<std::string> names = runnable_tables();
  names.emplace_back(kExact);
  return names;
}

inline std::unique_ptr<Backend> make_target(const std::string& name, int threads) {
  if (name == kExact) return make_backend(name, {.threads = threads, .isa = ""});
  return make_backend("cpu", {.threads = threads, .isa = name});
}

}  // namespace mxdit::conformance

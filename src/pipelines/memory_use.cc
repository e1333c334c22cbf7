#include "pipelines/memory_use.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace mxdit {
namespace {

// "Key:   123 kB" of a /proc file, in bytes.
std::optional<uint64_t> proc_value(const char* file, const std::string& key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind(key + ":", 0) != 0) continue;
    try {
      return std::stoull(line.substr(key.size() + 1)) * 1024;
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> first_number(const char* file) {
  std::ifstream in(file);
  uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

// What the control group (v2, else v1) leaves; a group without a limit says "max".
std::optional<uint64_t> group_available() {
  constexpr const char* kFiles[][2] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
       "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
  for (const auto& [limit_file, used_file] : kFiles) {
    const auto limit = first_number(limit_file);
    const auto used = first_number(used_file);
    if (limit && used) return *limit > *used ? *limit - *used : 0;
  }
  return std::nullopt;
}

}  // namespace

void record_memory_use(RunReport& report) {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    report.peak_resident_bytes =
        std::max(report.peak_resident_bytes, static_cast<uint64_t>(usage.ru_maxrss) * 1024);
  if (const auto anonymous = proc_value("/proc/self/status", "RssAnon"))
    report.peak_anonymous_bytes = std::max(report.peak_anonymous_bytes, *anonymous);
}

std::optional<uint64_t> total_memory() {
  return proc_value("/proc/meminfo", "MemTotal");
}

std::optional<uint64_t> available_memory() {
  auto available = proc_value("/proc/meminfo", "MemAvailable");
  if (const auto group = group_available())
    available = available ? std::min(*available, *group) : *group;
  return available;
}

}  // namespace mxdit

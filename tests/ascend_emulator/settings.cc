#include "ascend_emulator/settings.h"

#include <unistd.h>

#include <cctype>
#include <charconv>
#include <cstring>
#include <vector>

namespace ascend_emulator {

namespace {

bool read_number(const std::string& text, uint64_t& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// name[:n], with a status after the name where `has_status`.
bool read_fault(const std::string& text, bool has_status, Fault& fault) {
  fault = {};
  if (text.empty()) return true;
  std::vector<std::string> parts = split(text);
  uint64_t status = 0;
  if (has_status) {
    if (parts.size() < 2 || !read_number(parts[1], status)) return false;
    parts.erase(parts.begin() + 1);
  }
  uint64_t occurrence = 1;
  if (parts.size() > 2 || parts[0].empty()) return false;
  if (parts.size() == 2 && (!read_number(parts[1], occurrence) || occurrence == 0)) return false;
  fault = {parts[0], static_cast<int>(status), occurrence};
  return true;
}

}  // namespace

bool Fault::strikes(const std::string& occurrence) {
  if (remaining == 0 || (name != "*" && name != occurrence)) return false;
  return --remaining == 0;
}

std::string Settings::set(const std::string& name, const std::string& value) {
  uint64_t number = 0;
  const bool is_number = read_number(value, number);
  bool ok = true;
  if (name == "devices") {
    ok = is_number && number <= 64;
    if (ok) devices = static_cast<uint32_t>(number);
  } else if (name == "soc") {
    soc = value;
  } else if (name == "memory") {
    ok = is_number && number <= (128ull << 30);
    if (ok) memory = number;
  } else if (name == "start") {
    ok = value == "delayed" || value == "lazy" || value == "eager";
    if (ok)
      start = value == "lazy" ? Start::lazy : value == "eager" ? Start::eager : Start::delayed;
  } else if (name == "delay") {
    ok = is_number && number <= 1000000;
    if (ok) delay = number;
  } else if (name == "host_nz") {
    ok = value == "0" || value == "1";
    host_nz = value == "1";
  } else if (name == "malloc_fails") {
    ok = is_number;
    malloc_fails = {"*", 0, number};
  } else if (name == "plan_fails") {
    ok = read_fault(value, true, plan_fails);
  } else if (name == "kernel_fails") {
    ok = read_fault(value, false, kernel_fails);
  } else if (name == "init_fails") {
    ok = is_number;
    init_fails = static_cast<int>(number);
  } else if (name == "report") {
    report = value;
  } else {
    return "no setting is called " + name;
  }
  return ok ? "" : "setting " + name + " does not take \"" + value + "\"";
}

std::string Settings::read_environment() {
  static constexpr char kPrefix[] = "ASCEND_EMULATOR_";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, kPrefix, sizeof(kPrefix) - 1) != 0) continue;
    const char* equals = std::strchr(*entry, '=');
    if (equals == nullptr) continue;
    const char* first = *entry + sizeof(kPrefix) - 1;
    std::string name(first, static_cast<size_t>(equals - first));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::string problem = set(name, equals + 1); !problem.empty()) return problem;
  }
  return "";
}

}  // namespace ascend_emulator

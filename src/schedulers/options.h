// Reads a scheduler_config.json option by option and insists that each one was dealt with.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/json_file.h"

namespace mxdit {

// Getters return `fallback` where the option is absent or null. Errors name file and option:
// bad_input for a wrong type or range, unsupported for what is not implemented.
class SchedulerOptions {
 public:
  // Both references have to outlive this object.
  SchedulerOptions(const Json& config, const std::string& file);

  bool boolean(const char* key, bool fallback);
  int integer(const char* key, int fallback, int lowest, int highest);
  double number(const char* key, double fallback);
  std::string text(const char* key, const std::string& fallback);
  std::vector<int64_t> integers(const char* key);

  // Options that change nothing in the mode mxdit supports.
  void accept_without_effect(std::initializer_list<const char*> keys);
  // Error{unsupported} unless the option is absent, null or false.
  void require_off(std::initializer_list<const char*> keys);
  // Error{unsupported} for an option nobody asked for, unless it is null or false, that is off.
  void finish() const;

  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

 private:
  const Json& config_;
  const std::string& file_;
  std::set<std::string> seen_;
};

}  // namespace mxdit

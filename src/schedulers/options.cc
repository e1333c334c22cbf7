#include "schedulers/options.h"

#include "core/error.h"

namespace mxdit {
namespace {

bool is_off(const Json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>());
}

}  // namespace

SchedulerOptions::SchedulerOptions(const Json& config, const std::string& file)
    : config_(config), file_(file) {
  if (!config.is_object()) {
    fail(ErrorKind::bad_input, "[schedulers] ", file, ": expected a JSON object, got ",
         config.type_name());
  }
}

void SchedulerOptions::refuse(std::string_view key, std::string_view expected) const {
  const auto it = config_.find(std::string(key));
  fail(ErrorKind::unsupported, "[schedulers] ", file_, ": expected ", key, " to be ", expected,
       ", got ", it == config_.end() ? "none" : describe(*it));
}

bool SchedulerOptions::boolean(const char* key, bool fallback) {
  seen_.insert(key);
  return optional_or(config_, key, fallback, file_);
}

int SchedulerOptions::integer(const char* key, int fallback, int lowest, int highest) {
  seen_.insert(key);
  const int64_t value = optional_or(config_, key, int64_t{fallback}, file_);
  if (value < lowest || value > highest) {
    fail(ErrorKind::bad_input, "[schedulers] ", file_, ": expected ", key, " from ", lowest, " to ",
         highest, ", got ", value);
  }
  return static_cast<int>(value);
}

double SchedulerOptions::number(const char* key, double fallback) {
  seen_.insert(key);
  return optional_or(config_, key, fallback, file_);
}

std::string SchedulerOptions::text(const char* key, const std::string& fallback) {
  seen_.insert(key);
  return optional_or(config_, key, fallback, file_);
}

std::vector<int64_t> SchedulerOptions::integers(const char* key) {
  seen_.insert(key);
  return optional_or(config_, key, std::vector<int64_t>{}, file_);
}

void SchedulerOptions::accept_without_effect(std::initializer_list<const char*> keys) {
  for (const char* key : keys) seen_.insert(key);
}

void SchedulerOptions::require_off(std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    seen_.insert(key);
    const auto it = config_.find(key);
    if (it != config_.end() && !is_off(*it)) refuse(key, "off");
  }
}

void SchedulerOptions::finish() const {
  for (const auto& [key, value] : config_.items()) {
    const bool bookkeeping = key.starts_with('_');  // _class_name, _diffusers_version, ...
    if (bookkeeping || seen_.contains(key) || is_off(value)) continue;
    refuse(key, "absent: the option is not known");
  }
}

}  // namespace mxdit

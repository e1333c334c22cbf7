#include "models/config_values.h"

#include "core/error.h"

namespace mxdit {

namespace {

int64_t checked(int64_t value, const std::string& key, const std::string& file) {
  if (value < 1 || value > kMaxExtent)
    fail(ErrorKind::bad_input, "[models] ", file, " ", key, ": expected 1..", kMaxExtent, ", got ",
         value);
  return value;
}

}  // namespace

bool has_value(const Json& config, const std::string& key) {
  if (!config.is_object()) return false;
  const auto entry = config.find(key);
  return entry != config.end() && !entry->is_null();
}

int64_t extent(const Json& config, const std::string& key, const std::string& file) {
  return checked(required<int64_t>(config, key, file), key, file);
}

int64_t extent_or(const Json& config, const std::string& key, int64_t fallback,
                  const std::string& file) {
  return checked(optional_or<int64_t>(config, key, fallback, file), key, file);
}

std::optional<int64_t> optional_extent(const Json& config, const std::string& key,
                                       const std::string& file) {
  if (!has_value(config, key)) return std::nullopt;
  return extent(config, key, file);
}

float epsilon_or(const Json& config, const std::string& key, double fallback,
                 const std::string& file) {
  const double value = optional_or<double>(config, key, fallback, file);
  if (!(value > 0 && value < 1))
    fail(ErrorKind::bad_input, "[models] ", file, " ", key, ": expected above 0 and below 1, got ",
         value);
  return static_cast<float>(value);
}

}  // namespace mxdit

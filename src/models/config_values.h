// Values of a config.json with their ranges checked; messages name file and key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/json_file.h"

namespace mxdit {

// Larger extents are no model but a damaged file.
constexpr int64_t kMaxExtent = (int64_t{1} << 31) - 1;

// An extent of 1..kMaxExtent. Errors: bad_input.
int64_t extent(const Json& config, const std::string& key, const std::string& file);
int64_t extent_or(const Json& config, const std::string& key, int64_t fallback,
                  const std::string& file);
// Nothing for a key that is missing or null.
std::optional<int64_t> optional_extent(const Json& config, const std::string& key,
                                       const std::string& file);

// The epsilon of a norm: above 0 and below 1. Errors: bad_input.
float epsilon_or(const Json& config, const std::string& key, double fallback,
                 const std::string& file);

// Whether the object has the key with a value other than null.
bool has_value(const Json& config, const std::string& key);

}  // namespace mxdit

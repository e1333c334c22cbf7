// JSON from files that may be hostile, and typed access whose errors name file and key.
//
// Accepted is RFC 8259 and nothing more (no comments, no NaN), as valid UTF-8. A key given twice in
// one object is an error, since programs disagree on which one counts. Size and depth are limited.
// Range checks of the values are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace mxdit {

using Json = nlohmann::json;

constexpr size_t kMaxJsonBytes = size_t{256} << 20;
constexpr int kMaxJsonDepth = 200;

// Parses one document; `file` is only for messages. Errors: bad_input with line and column.
Json parse_json(std::string_view text, const std::string& file);

// Errors: not_found, io; bad_input for what is not a regular file, is too large, or is not JSON.
Json read_json_file(const std::filesystem::path& path);

// What a value is, for "got ..." in messages: `"abc"`, `3`, `an array of 2`, `null`.
std::string describe(const Json& value);

// The value of a key. T: bool, int64_t, double (integers convert), std::string, or a std::vector
// of one of these. Errors: bad_input for a missing key, another type, an integer beyond 64 bits,
// or when `object` is no object.
template <typename T>
T required(const Json& object, std::string_view key, const std::string& file);

// The same, but a key that is missing or null gives `fallback`.
template <typename T>
T optional_or(const Json& object, std::string_view key, T fallback, const std::string& file);

#define MXDIT_JSON_TYPE(T)                                                          \
  extern template T required<T>(const Json&, std::string_view, const std::string&); \
  extern template T optional_or<T>(const Json&, std::string_view, T, const std::string&);
MXDIT_JSON_TYPE(bool)
MXDIT_JSON_TYPE(int64_t)
MXDIT_JSON_TYPE(double)
MXDIT_JSON_TYPE(std::string)
MXDIT_JSON_TYPE(std::vector<bool>)
MXDIT_JSON_TYPE(std::vector<int64_t>)
MXDIT_JSON_TYPE(std::vector<double>)
MXDIT_JSON_TYPE(std::vector<std::string>)
#undef MXDIT_JSON_TYPE

}  // namespace mxdit
